class PaymentError extends Error {}
async function pay() {
  await null;
  throw new PaymentError('declined');
}
export default async function main() {
  await pay();
}
