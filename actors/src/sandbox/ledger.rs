//! Who has which host, who waits, and who gives way to whom. No process and no socket is touched here.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use sl_store::{Code, Fault};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    host::{Host, HostId},
    limits::{self, SandboxLimits},
    pool::Lease,
};

/// The pool's books.
pub(super) struct Ledger {
    limits: SandboxLimits,
    last_id: HostId,
    /// Every process there is, from the decision to start it until it has ended.
    processes: HashMap<HostId, Process>,
    /// Processes that are being started.
    starting: usize,
    /// Started ones without an account.
    warm: Vec<Host>,
    accounts: HashMap<Uuid, Share>,
    /// Accounts that wait and may have one host more, in the order in which they get it.
    hungry: VecDeque<Uuid>,
    /// Places of spoilt hosts, and when each is its account's again: in this order.
    cooling: VecDeque<(Instant, Uuid)>,
    waiting: usize,
    draining: bool,
    counts: Counts,
    last_error: Option<String>,
}

struct Process {
    doom: CancellationToken,
    pid: Option<u32>,
    account: Option<Uuid>,
}

/// What one account has of the pool.
#[derive(Default)]
struct Share {
    /// Its hosts, busy ones included, those that were sent to die not, unless their places still cool.
    hosts: usize,
    idle: Vec<Host>,
    queue: VecDeque<oneshot::Sender<Lease>>,
    hungry: bool,
}

/// What happened since the pool was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) started: u64,
    pub(super) failed: u64,
    pub(super) ended: u64,
}

/// The pool at one moment.
#[derive(Default)]
pub(super) struct Census {
    pub(super) warm: usize,
    pub(super) starting: usize,
    pub(super) busy: usize,
    pub(super) idle: usize,
    pub(super) cooling: usize,
    pub(super) waiting: usize,
    pub(super) accounts: BTreeMap<Uuid, AccountCensus>,
    pub(super) counts: Counts,
    pub(super) last_error: Option<String>,
}

/// One account at that moment.
#[derive(Default)]
pub(super) struct AccountCensus {
    pub(super) pids: Vec<u32>,
    pub(super) busy: usize,
    pub(super) cooling: usize,
    pub(super) waiting: usize,
}

/// What becomes of a host that was given back.
pub(super) enum Next {
    /// The next run of its account has it.
    Serves(oneshot::Sender<Lease>, Box<Host>),
    /// It waits; told is whether another account would have it.
    Rests { wanted: bool },
    /// It was sent to die.
    Retired,
}

impl Ledger {
    pub(super) fn new(limits: SandboxLimits) -> Self {
        Self {
            limits,
            last_id: 0,
            processes: HashMap::new(),
            starting: 0,
            warm: Vec::new(),
            accounts: HashMap::new(),
            hungry: VecDeque::new(),
            cooling: VecDeque::new(),
            waiting: 0,
            draining: false,
            counts: Counts::default(),
            last_error: None,
        }
    }

    /// A free host for the account, its own or a warm one. Nobody overtakes an account that waits for a warm one.
    pub(super) fn take(&mut self, account: Uuid) -> Option<Host> {
        let mut hosts = 0;
        if let Some(share) = self.accounts.get_mut(&account) {
            while let Some(host) = share.idle.pop() {
                // One that has just died is on its way out of the books.
                if host.is_alive() {
                    return Some(host);
                }
            }
            hosts = share.hosts;
        }
        if hosts < self.limits.account_hosts && self.hungry.is_empty() { self.adopt(account) } else { None }
    }

    /// Gives a warm host to an account, for the host's whole life.
    fn adopt(&mut self, account: Uuid) -> Option<Host> {
        let mut host = loop {
            let host = self.warm.pop()?;
            if host.is_alive() {
                break host;
            }
        };
        host.account = Some(account);
        host.assigned_at = Instant::now();
        self.accounts.entry(account).or_default().hosts += 1;
        if let Some(process) = self.processes.get_mut(&host.id) {
            process.account = Some(account);
        }
        tracing::info!(account_id = %account, host_pid = host.pid, "A JavaScript host was assigned for its life");
        Some(host)
    }

    /// Lets a run of the account wait; refuses where too many do.
    pub(super) fn enqueue(&mut self, account: Uuid) -> Result<oneshot::Receiver<Lease>, Fault> {
        if self.draining {
            return Err(draining());
        }
        if self.waiting >= self.limits.waiting {
            self.prune();
        }
        let all = self.waiting as u64;
        if self.waiting >= self.limits.waiting {
            let detail = "too many runs wait for a JavaScript host already";
            return Err(overloaded(detail, limits::WAITING.name, self.limits.waiting as u64, all));
        }
        let share = self.accounts.entry(account).or_default();
        self.waiting -= forget_gone(&mut share.queue);
        let own = share.queue.len();
        if own >= self.limits.account_waiting {
            self.tidy(account);
            let detail = "too many runs of this account wait for a JavaScript host already";
            return Err(Fault::new(Code::RateLimited, detail)
                .limited(limits::ACCOUNT_WAITING.name, self.limits.account_waiting as u64, own as u64)
                .retry_after(Duration::from_secs(1)));
        }
        let (lease, waiter) = oneshot::channel();
        share.queue.push_back(lease);
        self.waiting += 1;
        self.line_up(account);
        Ok(waiter)
    }

    /// Counts again who waits, before somebody is refused for it.
    fn prune(&mut self) {
        self.waiting = 0;
        for share in self.accounts.values_mut() {
            forget_gone(&mut share.queue);
            self.waiting += share.queue.len();
        }
    }

    /// Puts the account in line for one host more, where it waits and may have it.
    fn line_up(&mut self, account: Uuid) {
        if let Some(share) = self.accounts.get_mut(&account)
            && !share.hungry
            && !share.queue.is_empty()
            && share.hosts < self.limits.account_hosts
        {
            share.hungry = true;
            self.hungry.push_back(account);
        }
    }

    /// Forgets an account that has nothing and wants nothing.
    fn tidy(&mut self, account: Uuid) {
        let idle = |share: &Share| share.hosts == 0 && share.queue.is_empty() && !share.hungry;
        if self.accounts.get(&account).is_some_and(idle) {
            self.accounts.remove(&account);
        }
    }

    /// A process came up: it serves who is in line, or waits.
    pub(super) fn arrived(&mut self, host: Host) -> Vec<(oneshot::Sender<Lease>, Host)> {
        self.starting = self.starting.saturating_sub(1);
        self.counts.started += 1;
        self.last_error = None;
        if let Some(process) = self.processes.get_mut(&host.id) {
            process.pid = Some(host.pid);
        }
        if self.draining {
            host.doom.cancel();
            return Vec::new();
        }
        self.warm.push(host);
        self.feed()
    }

    /// Gives warm hosts to those in line, one each by turns.
    fn feed(&mut self) -> Vec<(oneshot::Sender<Lease>, Host)> {
        let mut fed = Vec::new();
        while self.warm.iter().any(Host::is_alive) {
            let Some(account) = self.hungry.pop_front() else { break };
            if let Some(share) = self.accounts.get_mut(&account) {
                share.hungry = false;
            }
            let Some(waiter) = self.next_waiter(account) else {
                self.tidy(account);
                continue;
            };
            let Some(host) = self.adopt(account) else { break };
            fed.push((waiter, host));
            self.line_up(account);
        }
        fed
    }

    fn next_waiter(&mut self, account: Uuid) -> Option<oneshot::Sender<Lease>> {
        let share = self.accounts.get_mut(&account)?;
        while let Some(waiter) = share.queue.pop_front() {
            self.waiting = self.waiting.saturating_sub(1);
            if !waiter.is_closed() {
                return Some(waiter);
            }
        }
        None
    }

    /// A host has nothing more to say.
    pub(super) fn give_back(&mut self, mut host: Host) -> Next {
        let serving = host.is_alive() && !self.draining && self.processes.contains_key(&host.id);
        let Some(account) = host.account.filter(|_| serving) else {
            self.retire(&host);
            return Next::Retired;
        };
        if self.must_give_way(&host) {
            self.retire(&host);
            return Next::Retired;
        }
        if let Some(waiter) = self.next_waiter(account) {
            return Next::Serves(waiter, Box::new(host));
        }
        host.idle_since = Instant::now();
        self.accounts.entry(account).or_default().idle.push(host);
        Next::Rests { wanted: !self.hungry.is_empty() }
    }

    /// Whether the account has had its turn of this host while another has none to run on.
    fn must_give_way(&self, host: &Host) -> bool {
        self.hungry.iter().any(|account| Some(*account) != host.account)
            && self.warm.is_empty()
            && self.processes.len() >= self.limits.hosts
            && self.starting + self.dying() == 0
            && host.assigned_at.elapsed() >= self.limits.turn
    }

    fn dying(&self) -> usize {
        self.processes.values().filter(|process| process.doom.is_cancelled()).count()
    }

    /// The processes to start now; they count as starting from here on. Where there is no room and somebody is in line,
    /// the host that has been idle longest gives way.
    pub(super) fn missing(&mut self) -> Vec<(HostId, CancellationToken)> {
        if self.draining {
            return Vec::new();
        }
        let wanted = (self.limits.warm + self.hungry.len()).saturating_sub(self.warm.len() + self.starting);
        let room = self.limits.hosts.saturating_sub(self.processes.len());
        if room == 0 && self.hungry.len() > self.starting + self.dying() {
            self.evict();
        }
        (0..wanted.min(room)).map(|_| self.begin()).collect()
    }

    fn begin(&mut self) -> (HostId, CancellationToken) {
        self.last_id += 1;
        self.starting += 1;
        let doom = CancellationToken::new();
        self.processes.insert(self.last_id, Process { doom: doom.clone(), pid: None, account: None });
        (self.last_id, doom)
    }

    /// Sends the host to die that has been idle longest.
    fn evict(&mut self) {
        let idle = self.accounts.iter();
        let oldest =
            idle.filter_map(|(account, share)| Some((share.idle.first()?.idle_since, *account))).min();
        if let Some(share) = oldest.and_then(|(_, account)| self.accounts.get_mut(&account)) {
            let host = share.idle.remove(0);
            self.retire(&host);
        }
    }

    /// Sends hosts to die that have been idle too long.
    pub(super) fn sweep(&mut self) {
        let idle = self.limits.idle;
        let mut old: Vec<Host> = Vec::new();
        for share in self.accounts.values_mut() {
            old.extend(share.idle.extract_if(.., |host| host.idle_since.elapsed() >= idle));
        }
        let surplus = self.warm.len().saturating_sub(self.limits.warm);
        old.extend(self.warm.extract_if(.., |host| host.idle_since.elapsed() >= idle).take(surplus));
        for host in old {
            self.retire(&host);
        }
    }

    /// Sends a host to die. Its account may have another at once; there is room for that when the process has ended.
    fn retire(&mut self, host: &Host) {
        if let Some(account) = self.doom(host) {
            self.dispossess(account);
        }
    }

    /// Sends a host to die that a run has spoilt.
    pub(super) fn spoil(&mut self, host: &Host) {
        if let Some(account) = self.doom(host) {
            self.lose(account);
        }
    }

    /// From now on the host is nobody's; answers whose it was.
    fn doom(&mut self, host: &Host) -> Option<Uuid> {
        host.doom.cancel();
        self.processes.get_mut(&host.id)?.account.take()
    }

    /// The account has lost a host that was not sent away. To start processes is dear for all: whoever spoils theirs waits
    /// for the place.
    fn lose(&mut self, account: Uuid) {
        self.cooling.push_back((Instant::now() + self.limits.cooling, account));
    }

    /// Gives accounts the places back that have cooled, and warm hosts to those that wait for one.
    pub(super) fn cool(&mut self) -> Vec<(oneshot::Sender<Lease>, Host)> {
        while let Some((_, account)) = self.cooling.pop_front_if(|(until, _)| *until <= Instant::now()) {
            self.dispossess(account);
        }
        self.feed()
    }

    /// The account has one host less.
    fn dispossess(&mut self, account: Uuid) {
        if let Some(share) = self.accounts.get_mut(&account) {
            share.hosts = share.hosts.saturating_sub(1);
        }
        self.line_up(account);
        self.tidy(account);
    }

    /// A process did not come up. Where none is left that could ever serve them, those who wait are sent away.
    pub(super) fn stillborn(&mut self, id: HostId, why: &str) {
        self.starting = self.starting.saturating_sub(1);
        self.counts.failed += 1;
        self.last_error = Some(why.to_owned());
        self.processes.remove(&id);
        if self.processes.is_empty() {
            self.dismiss();
        }
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, id: HostId) {
        self.counts.ended += 1;
        self.warm.retain(|host| host.id != id);
        let Some(account) = self.processes.remove(&id).and_then(|process| process.account) else { return };
        if let Some(share) = self.accounts.get_mut(&account) {
            share.idle.retain(|host| host.id != id);
        }
        self.lose(account);
    }

    /// From now on nobody is served who is not already.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.dismiss();
        let idle = self.accounts.values_mut().flat_map(|share| std::mem::take(&mut share.idle));
        let free: Vec<Host> = idle.chain(std::mem::take(&mut self.warm)).collect();
        for host in free {
            self.retire(&host);
        }
    }

    /// Sends every process to die.
    pub(super) fn kill_all(&self) {
        for process in self.processes.values() {
            process.doom.cancel();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    fn dismiss(&mut self) {
        self.hungry.clear();
        self.waiting = 0;
        for share in self.accounts.values_mut() {
            share.hungry = false;
            share.queue.clear();
        }
        self.accounts.retain(|_, share| share.hosts > 0);
    }

    /// Why those who waited were sent away.
    pub(super) fn refusal(&self) -> Fault {
        if self.draining {
            return draining();
        }
        Fault::new(Code::Unavailable, "no JavaScript host can be started at the moment")
            .because(self.last_error.as_deref().unwrap_or("unknown"))
            .retry_after(Duration::from_secs(5))
    }

    pub(super) fn census(&self) -> Census {
        let mut census = Census {
            warm: self.warm.len(),
            starting: self.starting,
            cooling: self.cooling.len(),
            waiting: self.waiting,
            counts: self.counts,
            last_error: self.last_error.clone(),
            ..Census::default()
        };
        for (account, share) in &self.accounts {
            let cooling = self.cooling.iter().filter(|(_, owner)| owner == account).count();
            let busy = share.hosts.saturating_sub(share.idle.len() + cooling);
            census.busy += busy;
            census.idle += share.idle.len();
            let waiting = share.queue.len();
            census.accounts.insert(*account, AccountCensus { pids: Vec::new(), busy, cooling, waiting });
        }
        for process in self.processes.values() {
            if let Some(account) = process.account.and_then(|account| census.accounts.get_mut(&account)) {
                account.pids.extend(process.pid);
            }
        }
        census
    }
}

/// Drops those who have stopped waiting; answers how many.
fn forget_gone(queue: &mut VecDeque<oneshot::Sender<Lease>>) -> usize {
    let before = queue.len();
    queue.retain(|waiter| !waiter.is_closed());
    before - queue.len()
}

fn draining() -> Fault {
    Fault::new(Code::Unavailable, "the daemon is being shut down").retry_after(Duration::from_secs(5))
}

pub(super) fn overloaded(detail: &str, setting: &'static str, limit: u64, current: u64) -> Fault {
    Fault::new(Code::Overloaded, detail).limited(setting, limit, current).retry_after(Duration::from_secs(1))
}
