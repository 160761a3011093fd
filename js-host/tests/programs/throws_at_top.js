const config = undefined;
config.field;
export default () => 1;
