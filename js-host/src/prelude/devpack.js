// The actions that a function may queue. They are not performed here: what is queued is told at the end of a run
// that returns, and forgotten by one that throws.
const queue = (kind, given) => {
  const text = jsonStringify(given === undefined || given === null ? {} : given);
  if (text === undefined || text[0] !== '{') {
    throw new SafeTypeError(`Devpack: the params of ${kind} must be an object`);
  }
  const id = host.queueAction(kind, text);
  const handle = { id, type: kind, params: jsonParse(text) };
  const asResult = (meta) => ({ __devpack_ref__: true, id, type: kind, meta });
  own(handle, 'asResult', asResult);
  return freeze(handle);
};
const action = (name, kind) => {
  const call = { [name]: (params) => queue(kind, params) }[name];
  return call;
};
const group = (members) => freeze(members);

const ensureAccount = action('ensureAccount', 'gasbank.ensureAccount');
const withdraw = action('withdraw', 'gasbank.withdraw');
const createRequest = action('createRequest', 'oracle.createRequest');
const register = action('register', 'triggers.register');
const schedule = action('schedule', 'automation.schedule');
const success = (data, meta) => ({ success: true, data, meta });
// An error's own words are no properties that JSON would write.
const told = (error) =>
  error instanceof SafeError && error.toJSON === undefined ? { name: error.name, message: error.message, ...error } : error;
const failure = (error, meta) => ({ success: false, error: told(error), meta });
const respond = group({ success, failure });

const devpack = {
  version: '0.1.0',
  gasBank: group({
    ensureAccount,
    withdraw,
    balance: action('balance', 'gasbank.balance'),
    listTransactions: action('listTransactions', 'gasbank.listTransactions'),
  }),
  oracle: group({ createRequest }),
  triggers: group({ register }),
  automation: group({ schedule }),
  priceFeeds: group({ recordSnapshot: action('recordSnapshot', 'pricefeed.recordSnapshot') }),
  random: group({ generate: action('generate', 'random.generate') }),
  dataFeeds: group({ submitUpdate: action('submitUpdate', 'datafeeds.submitUpdate') }),
  dataStreams: group({ publishFrame: action('publishFrame', 'datastreams.publishFrame') }),
  dataLink: group({ createDelivery: action('createDelivery', 'datalink.createDelivery') }),
  respond,
  success,
  failure,
  ensureGasAccount: ensureAccount,
  withdrawGas: withdraw,
  createOracleRequest: createRequest,
  registerTrigger: register,
  scheduleAutomation: schedule,
};
reflectDefine(devpack, 'context', { __proto__: null, enumerable: true, configurable: false, get: () => host.context() });
return freeze(devpack);
