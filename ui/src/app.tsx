import { NavLink, Navigate, Outlet, Route, Routes, useParams } from "react-router";

import { Login } from "./login.tsx";
import { AccountPage, AccountsPage } from "./services/accounts.tsx";
import { DutiesPage } from "./services/duties.tsx";
import { ExecutionPage, ExecutionsPage } from "./services/executions.tsx";
import { FunctionPage, FunctionsPage, NewFunctionPage } from "./services/functions.tsx";
import { OverviewPage } from "./services/overview.tsx";
import { CollectionPage, ItemPage, RESOURCES, ResourceLinks } from "./services/resources.tsx";
import { useSession, useSessions } from "./session.tsx";

/** The pages of the dashboard. */
export function App() {
  const { session } = useSessions();
  if (!session) return <Login />;
  return (
    <Routes>
      <Route element={<Shell />}>
        <Route index element={<Home />} />
        <Route path="overview" element={<OverviewPage />} />
        <Route path="duties" element={<DutiesPage />} />
        <Route path="accounts" element={<AccountsPage />} />
        <Route path="accounts/:account" element={<AccountPage />} />
        <Route path="accounts/:account/functions" element={<FunctionsPage />} />
        <Route path="accounts/:account/functions/new" element={<NewFunctionPage />} />
        <Route path="accounts/:account/functions/:id" element={<FunctionPage />} />
        <Route path="accounts/:account/executions" element={<ExecutionsPage />} />
        <Route path="accounts/:account/executions/:id" element={<ExecutionPage />} />
        {RESOURCES.flatMap((resource) => [
          <Route
            key={resource.segment}
            path={`accounts/:account/${resource.segment}`}
            element={<CollectionPage key={resource.segment} {...resource} />}
          />,
          <Route
            key={`${resource.segment}/:item`}
            path={`accounts/:account/${resource.segment}/:item`}
            element={<ItemPage key={resource.segment} {...resource} />}
          />,
        ])}
        <Route path="*" element={<Navigate to="/" replace />} />
      </Route>
    </Routes>
  );
}

function Home() {
  const { ownAccount } = useSession();
  return <Navigate to={ownAccount ? `/accounts/${ownAccount}` : "/overview"} replace />;
}

function Shell() {
  const { actor, ownAccount } = useSession();
  const { signOut } = useSessions();
  return (
    <div className="shell">
      <header className="bar">
        <span className="brand">Service Layer</span>
        <nav>
          {ownAccount ? null : (
            <>
              <NavLink to="/overview">Overview</NavLink>
              <NavLink to="/duties">Duties</NavLink>
              <NavLink to="/accounts" end>
                Accounts
              </NavLink>
            </>
          )}
          <AccountLinks fallback={ownAccount} />
        </nav>
        <span className="who" title={actor}>
          {actor}
        </span>
        <button type="button" className="quiet" onClick={signOut}>
          Sign out
        </button>
      </header>
      <main>
        <Outlet />
      </main>
    </div>
  );
}

function AccountLinks({ fallback }: { fallback: string | undefined }) {
  const { account } = useParams();
  const shown = account ?? fallback;
  if (!shown) return null;
  return (
    <>
      <NavLink to={`/accounts/${shown}`} end>
        Account
      </NavLink>
      <NavLink to={`/accounts/${shown}/functions`}>Functions</NavLink>
      <NavLink to={`/accounts/${shown}/executions`}>Executions</NavLink>
      <ResourceLinks account={shown} />
    </>
  );
}
