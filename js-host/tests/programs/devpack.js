() => {
  const handle = Devpack.gasBank.ensureAccount({ wallet: 'NX' });
  const moved = Devpack.gasBank.withdraw({ gasAccountId: 'g', amount: '1.5', to: 'NY' });
  Devpack.gasBank.balance({ gasAccountId: 'g' });
  Devpack.gasBank.listTransactions({ gasAccountId: 'g', limit: 5 });
  Devpack.oracle.createRequest({ dataSourceId: 'd', payload: { a: 1 } });
  Devpack.triggers.register({ type: 'cron', rule: '* * * * *' });
  Devpack.automation.schedule({ name: 'n', schedule: '@hourly', enabled: false });
  Devpack.priceFeeds.recordSnapshot({ feedId: 'f', price: 1.25 });
  Devpack.random.generate({ length: 16 });
  Devpack.dataFeeds.submitUpdate({ feedId: 'f', value: '1' });
  Devpack.dataStreams.publishFrame({ streamId: 's', sequence: 1 });
  Devpack.dataLink.createDelivery({ channelId: 'c', payload: {} });
  return { handle, ref: handle.asResult({ label: 'x' }), moved: moved.id, version: Devpack.version };
}
