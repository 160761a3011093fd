() => {
  try {
    null.x;
  } catch (error) {
    console.error('failed:', error.message);
    console.log(error.stack.split('\n').length > 1);
  }
}
