const rate = 3;
export const other = 1;
export default (params, context) => ({ rate, id: context.functionId, version: context.functionVersion });
