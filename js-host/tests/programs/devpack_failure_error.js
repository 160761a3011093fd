() => {
  class Refused extends TypeError {
    constructor(message) {
      super(message);
      this.code = 7;
    }
  }
  return { plain: Devpack.respond.failure(new Error('bad')), own: Devpack.failure(new Refused('no')).error, text: Devpack.failure('x').error };
}
