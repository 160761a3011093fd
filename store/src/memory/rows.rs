//! The rows of one table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::index::{Lookup, Value, cell, distinct, unique_values};
use crate::{Cell, Expect, Fault, Filter, Key, Order, Query, Row, Table, refuse};

/// All rows of one table, ordered within each account and over all.
#[derive(Debug)]
pub struct Rows {
    table: &'static Table,
    accounts: HashMap<Uuid, BTreeMap<Uuid, Row>>,
    by_id: BTreeSet<(Uuid, Uuid)>,
    uniques: Vec<HashMap<(Uuid, Vec<Value>), Uuid>>,
    lookups: HashMap<&'static str, Lookup>,
}

impl Rows {
    /// No rows yet.
    pub fn new(table: &'static Table) -> Self {
        Self {
            table,
            accounts: HashMap::new(),
            by_id: BTreeSet::new(),
            uniques: table.uniques.iter().map(|_| HashMap::new()).collect(),
            lookups: HashMap::new(),
        }
    }

    /// The row of the key.
    pub fn get(&self, key: Key) -> Option<&Row> {
        self.accounts.get(&key.account)?.get(&key.id)
    }

    /// Fails unless what is stored under the key is as expected.
    pub fn check(&self, key: Key, expect: Expect) -> Result<(), Fault> {
        let stored = self.get(key).map(|row| row.head.version);
        let holds = match expect {
            Expect::Absent => stored.is_none(),
            Expect::Version(version) => stored == Some(version),
            Expect::Present => stored.is_some(),
            Expect::Any => true,
        };
        if holds { Ok(()) } else { Err(refuse::expectation(self.table, expect)) }
    }

    /// Fails where another row of the account has the same unique values.
    pub fn check_uniques(&self, row: &Row) -> Result<(), Fault> {
        for (unique, taken) in self.table.uniques.iter().zip(&self.uniques) {
            let owner = unique_values(self.table, row, unique.columns)
                .and_then(|values| taken.get(&(row.head.account_id, values)));
            if owner.is_some_and(|owner| *owner != row.head.id) {
                return Err(refuse::collision(unique));
            }
        }
        Ok(())
    }

    /// Puts a row in the place of what was there, or takes it away; answers what was there.
    pub fn set(&mut self, key: Key, row: Option<Row>) -> Option<Row> {
        let before = self.accounts.get_mut(&key.account).and_then(|rows| rows.remove(&key.id));
        if let Some(before) = &before {
            self.unlink(before);
        }
        match row {
            Some(row) => {
                self.link(&row);
                self.accounts.entry(key.account).or_default().insert(key.id, row);
            }
            None => {
                if self.accounts.get(&key.account).is_some_and(BTreeMap::is_empty) {
                    self.accounts.remove(&key.account);
                }
            }
        }
        before
    }

    /// A page of rows.
    pub fn list(&mut self, query: &Query) -> Vec<Row> {
        self.prepare(&query.filters);
        self.matching(query).take(query.limit).cloned().collect()
    }

    /// How many rows match. Takes no look at them where one lookup knows it.
    pub fn count(&mut self, account: Option<Uuid>, filters: &[Filter]) -> u64 {
        self.prepare(filters);
        let counted = match filters {
            [] => account
                .map_or(self.by_id.len(), |account| self.accounts.get(&account).map_or(0, BTreeMap::len)),
            [filter @ (Filter::Equal(..) | Filter::In(..))] => {
                self.candidates(account, filter).iter().flatten().map(Set::len).sum()
            }
            _ => {
                let query = Query { account, filters: filters.to_vec(), ..Query::of_all_accounts() };
                self.matching(&query).count()
            }
        };
        counted as u64
    }

    fn link(&mut self, row: &Row) {
        let key = row.head.key();
        self.by_id.insert((key.id, key.account));
        for (unique, taken) in self.table.uniques.iter().zip(&mut self.uniques) {
            if let Some(values) = unique_values(self.table, row, unique.columns) {
                taken.insert((key.account, values), key.id);
            }
        }
        for (name, lookup) in &mut self.lookups {
            lookup.add(key, Value::of(cell(self.table, row, name).as_ref()));
        }
    }

    fn unlink(&mut self, row: &Row) {
        let key = row.head.key();
        self.by_id.remove(&(key.id, key.account));
        for (unique, taken) in self.table.uniques.iter().zip(&mut self.uniques) {
            if let Some(values) = unique_values(self.table, row, unique.columns) {
                taken.remove(&(key.account, values));
            }
        }
        for (name, lookup) in &mut self.lookups {
            lookup.remove(key, Value::of(cell(self.table, row, name).as_ref()));
        }
    }

    /// Makes the lookups that equality filters can use. One pass over the table when a column is first asked for, and
    /// none after that.
    fn prepare(&mut self, filters: &[Filter]) {
        for filter in filters {
            let (Filter::Equal(name, _) | Filter::In(name, _)) = filter else { continue };
            if self.lookups.contains_key(name) {
                continue;
            }
            let mut lookup = Lookup::default();
            for row in self.accounts.values().flat_map(BTreeMap::values) {
                lookup.add(row.head.key(), Value::of(cell(self.table, row, name).as_ref()));
            }
            self.lookups.insert(name, lookup);
        }
    }

    fn matching<'a>(&'a self, query: &'a Query) -> Box<dyn Iterator<Item = &'a Row> + 'a> {
        let keys = self.narrowest(query).unwrap_or_else(|| self.every(query));
        let forward = query.order == Order::Oldest;
        let keys = keys.filter(move |key| {
            query.after.is_none_or(|after| if forward { key.id > after } else { key.id < after })
        });
        Box::new(
            keys.filter_map(|key| self.get(key))
                .filter(|row| query.filters.iter().all(|filter| self.accepts(filter, row))),
        )
    }

    /// The keys of the equality filter with the fewest, in the query's order; none where no filter has a lookup.
    fn narrowest<'a>(&'a self, query: &'a Query) -> Option<Keys<'a>> {
        let forward = query.order == Order::Oldest;
        let candidates = query.filters.iter().filter_map(|filter| self.candidates(query.account, filter));
        let sets = candidates.min_by_key(|sets| sets.iter().map(Set::len).sum::<usize>())?;
        if let [set] = sets.as_slice() {
            return Some(set.keys(query.after, forward));
        }
        let mut keys: Vec<Key> = sets.iter().flat_map(|set| set.keys(query.after, forward)).collect();
        keys.sort_unstable_by_key(|key| (key.id, key.account));
        Some(if forward { Box::new(keys.into_iter()) } else { Box::new(keys.into_iter().rev()) })
    }

    fn candidates(&self, account: Option<Uuid>, filter: &Filter) -> Option<Vec<Set<'_>>> {
        let (name, values) = match filter {
            Filter::Equal(name, cell) => (name, std::iter::once(Value::of(cell)).collect()),
            Filter::In(name, cells) => (name, distinct(cells)),
            Filter::Before(..) | Filter::Since(..) => return None,
        };
        let lookup = self.lookups.get(name)?;
        let sets = values.into_iter().filter_map(|value| match account {
            Some(account) => lookup.within(account, value).map(|ids| Set::Within(account, ids)),
            None => lookup.over_all(&value).map(Set::OverAll),
        });
        Some(sets.collect())
    }

    fn every<'a>(&'a self, query: &'a Query) -> Keys<'a> {
        let forward = query.order == Order::Oldest;
        let Some(account) = query.account else {
            return Set::OverAll(&self.by_id).keys(query.after, forward);
        };
        let Some(rows) = self.accounts.get(&account) else { return Box::new(std::iter::empty()) };
        let bounds = bounds(query.after, forward);
        let ids = rows.range(bounds).map(move |(id, _)| Key::new(account, *id));
        if forward { Box::new(ids) } else { Box::new(ids.rev()) }
    }

    fn accepts(&self, filter: &Filter, row: &Row) -> bool {
        match filter {
            Filter::Equal(name, wanted) => cell(self.table, row, name).as_ref() == wanted,
            Filter::In(name, wanted) => {
                let found = cell(self.table, row, name);
                *found != Cell::Null && wanted.contains(&found)
            }
            Filter::Before(name, instant) => {
                matches!(*cell(self.table, row, name), Cell::Time(time) if time < *instant)
            }
            Filter::Since(name, instant) => {
                matches!(*cell(self.table, row, name), Cell::Time(time) if time >= *instant)
            }
        }
    }
}

type Keys<'a> = Box<dyn Iterator<Item = Key> + 'a>;

/// Ids that share a value, of one account or of all.
enum Set<'a> {
    Within(Uuid, &'a BTreeSet<Uuid>),
    OverAll(&'a BTreeSet<(Uuid, Uuid)>),
}

impl<'a> Set<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Within(_, ids) => ids.len(),
            Self::OverAll(ids) => ids.len(),
        }
    }

    /// The keys after `after` in the direction asked for.
    fn keys(&self, after: Option<Uuid>, forward: bool) -> Keys<'a> {
        match *self {
            Self::Within(account, ids) => {
                let keys = ids.range(bounds(after, forward)).map(move |id| Key::new(account, *id));
                if forward { Box::new(keys) } else { Box::new(keys.rev()) }
            }
            Self::OverAll(ids) => {
                let (low, high) = bounds(after, forward);
                let bounds = (low.map(|id| (id, Uuid::max())), high.map(|id| (id, Uuid::nil())));
                let keys = ids.range(bounds).map(|(id, account)| Key::new(*account, *id));
                if forward { Box::new(keys) } else { Box::new(keys.rev()) }
            }
        }
    }
}

fn bounds(after: Option<Uuid>, forward: bool) -> (std::ops::Bound<Uuid>, std::ops::Bound<Uuid>) {
    use std::ops::Bound::{Excluded, Unbounded};
    match after {
        None => (Unbounded, Unbounded),
        Some(after) if forward => (Excluded(after), Unbounded),
        Some(after) => (Unbounded, Excluded(after)),
    }
}
