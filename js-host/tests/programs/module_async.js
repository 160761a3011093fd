// phase: check
const ready = await new Promise((resolve) => setTimeout(resolve, 1, 'ready'));
export default async function handle(params, context) {
  await null;
  return { ready, phase: context.phase, attempt: context.attempt, keys: Object.keys(context) };
}
