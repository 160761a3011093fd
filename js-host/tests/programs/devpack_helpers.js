() => {
  const { ensureGasAccount, withdrawGas, createOracleRequest, registerTrigger, scheduleAutomation, respond } = Devpack;
  ensureGasAccount({ wallet: 'NX' });
  withdrawGas({ wallet: 'NX', amount: 2, to: 'NY' });
  createOracleRequest({ dataSourceId: 'd', payload: 'text' });
  registerTrigger({ type: 'event', rule: 'x' });
  scheduleAutomation({ name: 'n', schedule: '@daily' });
  return respond.success({ n: 1 }, { took: 2 });
}
