//! The rows of a group: what is done in one way to rows of one table goes in one statement.
//!
//! A statement that comes earlier may take a row in only where nothing after it touches that row, or, where rows of the
//! table must differ from each other, any row of the table. So everything is seen in the order of the batches.

use std::collections::HashMap;

use super::{
    plan::{Owners, Refusal, Step},
    sql::{Condition, Form},
    tables,
    value::Param,
};
use crate::{Batch, Cell, Expect, Filter, Guard, Key, Row, Table, Write};

/// The statements of all rows of a group.
pub fn steps<'a>(group: &[&'a Batch]) -> Vec<Step<'a>> {
    let mut plan = Plan::default();
    for (owner, batch) in group.iter().enumerate() {
        for guard in &batch.guards {
            if let Guard::Holds { table, key, expect } = guard {
                plan.add(Touch {
                    table,
                    form: Form::hold(*expect),
                    key: *key,
                    row: None,
                    expect: *expect,
                    owner,
                });
            }
        }
        for write in &batch.writes {
            plan.write(write, owner);
        }
    }
    plan.parts.into_iter().map(Part::step).collect()
}

/// What happens to one row.
struct Touch<'a> {
    table: &'static Table,
    form: Form,
    key: Key,
    row: Option<&'a Row>,
    expect: Expect,
    owner: usize,
}

/// One statement in the making.
enum Part<'a> {
    /// One thing that happens to rows of one table.
    Rows(Vec<Touch<'a>>),
    /// A sweep, which touches rows that are not known beforehand.
    Sweep(Step<'a>),
}

#[derive(Default)]
struct Plan<'a> {
    parts: Vec<Part<'a>>,
    /// The last statement that does this to rows of this table.
    open: HashMap<(&'static str, Form), usize>,
    /// The last statement that touches this row.
    touched: HashMap<(&'static str, Key), usize>,
    /// The last statement of this table that others must not overtake.
    fixed: HashMap<&'static str, usize>,
}

impl<'a> Plan<'a> {
    fn write(&mut self, write: &'a Write, owner: usize) {
        match write {
            Write::Put { table, row, expect } => {
                let (form, key) = (Form::put(*expect), row.head.key());
                self.add(Touch { table, form, key, row: Some(row), expect: *expect, owner });
            }
            Write::Remove { table, key, expect } => {
                let form = Form::remove(*expect);
                self.add(Touch { table, form, key: *key, row: None, expect: *expect, owner });
            }
            Write::Sweep { table, account, filters, limit } => {
                self.fixed.insert(table.name, self.parts.len());
                self.parts.push(Part::Sweep(sweep(table, account, filters, *limit, owner)));
            }
        }
    }

    fn add(&mut self, touch: Touch<'a>) {
        if touch.form == Form::Nothing {
            return;
        }
        let (name, ordered) = (touch.table.name, !touch.table.uniques.is_empty());
        let (kind, row) = ((name, touch.form), (name, touch.key));
        let open = self.open.get(&kind).copied().filter(|open| {
            self.touched.get(&row).is_none_or(|touched| touched < open)
                && self.fixed.get(name).is_none_or(|fixed| fixed <= open)
        });
        let part = open.and_then(|open| Some((open, self.parts.get_mut(open)?)));
        let place = if let Some((open, Part::Rows(touches))) = part {
            touches.push(touch);
            open
        } else {
            self.parts.push(Part::Rows(vec![touch]));
            self.parts.len() - 1
        };
        self.open.insert(kind, place);
        self.touched.insert(row, place);
        if ordered {
            self.fixed.insert(name, place);
        }
    }
}

impl<'a> Part<'a> {
    fn step(self) -> Step<'a> {
        match self {
            Self::Sweep(step) => step,
            Self::Rows(touches) => match touches.as_slice() {
                [touch] => one(touch),
                _ => many(&touches),
            },
        }
    }
}

fn one<'a>(touch: &Touch<'a>) -> Step<'a> {
    let mut params = match touch.row {
        Some(row) => {
            let head = &row.head;
            let mut params = vec![
                Param::Lent(&head.account_id),
                Param::Lent(&head.id),
                Param::Lent(&head.version),
                Param::Lent(&head.created_at),
                Param::Lent(&head.updated_at),
            ];
            params.extend(row.cells.iter().map(|cell| Param::Lent(cell)));
            params
        }
        None => vec![Param::own(touch.key.account), Param::own(touch.key.id)],
    };
    if let Expect::Version(version) = touch.expect {
        params.push(Param::own(version));
    }
    Step {
        text: tables::statements(touch.table).one(touch.form).into(),
        params,
        wants: touch.form.wants(1),
        refusal: Refusal::Row(touch.table, touch.expect),
        table: Some(touch.table.name),
        owners: Owners::All(vec![touch.owner]),
    }
}

fn many<'a>(touches: &[Touch<'a>]) -> Step<'a> {
    let first = &touches[0];
    let (table, form) = (first.table, first.form);
    let rows: Vec<&'a Row> = touches.iter().filter_map(|touch| touch.row).collect();
    let mut params = vec![
        Param::column(touches.iter().map(|touch| touch.key.account)),
        Param::column(touches.iter().map(|touch| touch.key.id)),
    ];
    if form.writes() {
        params.push(Param::column(rows.iter().map(|row| row.head.version)));
        params.push(Param::column(rows.iter().map(|row| row.head.created_at)));
        params.push(Param::column(rows.iter().map(|row| row.head.updated_at)));
        params.extend((0..table.columns.len()).map(|position| {
            Param::column(rows.iter().map(|row| row.cells.get(position).unwrap_or(&Cell::Null)))
        }));
    }
    if form.has_version() {
        params.push(Param::column(touches.iter().map(|touch| match touch.expect {
            Expect::Version(version) => Some(version),
            Expect::Absent | Expect::Present | Expect::Any => None,
        })));
    }
    Step {
        text: tables::statements(table).many(form).into(),
        params,
        wants: form.wants(touches.len() as u64),
        refusal: Refusal::Row(table, first.expect),
        table: Some(table.name),
        owners: Owners::Each(touches.iter().map(|touch| (touch.key, touch.owner)).collect()),
    }
}

fn sweep<'a>(
    table: &'static Table,
    account: &'a uuid::Uuid,
    filters: &'a [Filter],
    limit: usize,
    owner: usize,
) -> Step<'a> {
    let mut condition = Condition::within(table, account, filters);
    let limit = condition.number(limit);
    let (name, chosen) = (table.name, &condition.text);
    let text = format!(
        "DELETE FROM \"{name}\" WHERE \"account_id\" = $1 AND \"id\" = ANY (ARRAY(\
         SELECT \"id\" FROM \"{name}\"{chosen} ORDER BY \"account_id\", \"id\" LIMIT {limit}))"
    );
    Step {
        text: text.into(),
        params: condition.params(),
        wants: None,
        refusal: Refusal::Row(table, Expect::Any),
        table: None,
        owners: Owners::All(vec![owner]),
    }
}
