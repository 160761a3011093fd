import { useState, type FormEvent } from "react";

import { Trouble } from "./parts/trouble.tsx";
import { useSessions } from "./session.tsx";

/** Signs in with an operator's or an account's token. */
export function Login() {
  const { signIn } = useSessions();
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    await signIn(token.trim()).catch(setError);
    setBusy(false);
  };

  return (
    <main className="login">
      <form className="card" onSubmit={submit}>
        <h1>Service Layer</h1>
        <p className="hint">Sign in with an operator's token, or with one of your account.</p>
        <label className="field">
          <span>Token</span>
          <input
            name="token"
            type="password"
            autoComplete="off"
            required
            value={token}
            onChange={(change) => setToken(change.target.value)}
          />
        </label>
        <Trouble error={error} />
        <button type="submit" disabled={busy || token.trim() === ""}>
          Sign in
        </button>
      </form>
    </main>
  );
}
