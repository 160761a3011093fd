import { createServiceLayer, unwrap, type ServiceLayer } from "@service-layer/client";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";

/** Who is signed in: the token, the client that carries it, and for whom it speaks. */
export interface Session {
  token: string;
  client: ServiceLayer;
  actor: string;
  /** The account of an account's token; absent for an operator. */
  ownAccount: string | undefined;
}

interface Sessions {
  session: Session | undefined;
  signIn: (token: string) => Promise<void>;
  signOut: () => void;
}

const Context = createContext<Sessions | undefined>(undefined);
const KEY = "service-layer.session";

interface Kept {
  token: string;
  actor: string;
  ownAccount?: string;
}

/** The session lives in this tab alone and ends with it. */
function kept(): Session | undefined {
  const text = sessionStorage.getItem(KEY);
  if (text === null) return undefined;
  const { token, actor, ownAccount } = JSON.parse(text) as Kept;
  return { token, actor, ownAccount, client: createServiceLayer({ token }) };
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [session, setSession] = useState<Session | undefined>(kept);

  const signIn = useCallback(async (token: string) => {
    const client = createServiceLayer({ token });
    const who = await unwrap(client.GET("/system/whoami"));
    const ownAccount = who.account_id ?? undefined;
    sessionStorage.setItem(KEY, JSON.stringify({ token, actor: who.actor, ownAccount }));
    setSession({ token, client, actor: who.actor, ownAccount });
  }, []);

  const signOut = useCallback(() => {
    sessionStorage.removeItem(KEY);
    queries.clear();
    setSession(undefined);
  }, [queries]);

  const value = useMemo(() => ({ session, signIn, signOut }), [session, signIn, signOut]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSessions(): Sessions {
  const sessions = useContext(Context);
  if (!sessions) throw new Error("useSessions is called outside SessionProvider");
  return sessions;
}

/** The session of a signed-in page. */
export function useSession(): Session {
  const { session } = useSessions();
  if (!session) throw new Error("useSession is called before anybody signed in");
  return session;
}
