//! The rows of functions: the function as it is now, each of its versions, and each version's source.
//!
//! The source stands in a table of its own, so that lists of functions and versions never read it.

use std::sync::Arc;

use chrono::DateTime;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

use super::limits::{Limits, Size};

/// What a version of a function consists of besides its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name, unique in the account whatever the case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The secrets its runs are given, by name.
    pub secrets: Vec<String>,
    /// What its runs may use.
    pub limits: Limits,
    /// Whether its runs share what it holds in globals, while its host lives.
    pub keep_context: bool,
}

impl Definition {
    const COLUMNS: [Column; 5] = [
        Column::new("name", Kind::Text),
        Column::new("description", Kind::Text),
        Column::new("secrets", Kind::Json),
        Column::new("limits", Kind::Json),
        Column::new("keep_context", Kind::Bool),
    ];

    fn encode(&self) -> [Cell; 5] {
        [
            self.name.clone().into(),
            self.description.clone().into(),
            Cell::json(&self.secrets),
            Cell::json(&self.limits),
            self.keep_context.into(),
        ]
    }

    fn decode(cells: &mut Cells) -> Result<Self, Fault> {
        Ok(Self {
            name: cells.text()?,
            description: cells.text()?,
            secrets: cells.json()?,
            limits: cells.json()?,
            keep_context: cells.bool()?,
        })
    }

    fn sample(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: "a sample".to_owned(),
            secrets: vec!["api_key".to_owned()],
            limits: Limits { heap: Some(Size(1 << 24)), ..Limits::default() },
            keep_context: false,
        }
    }
}

/// A function as it is now. The version of its head is the number of its current [`FunctionVersion`].
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The row's head.
    pub head: Head,
    /// What it consists of.
    pub definition: Definition,
    /// The row of its current version.
    pub version_id: Uuid,
    /// Its source, where it was read or written in this operation; not part of the row.
    pub source: Option<Arc<str>>,
}

impl Function {
    /// The name under which a function is found, whatever the case it is written in.
    #[must_use]
    pub fn name_key(name: &str) -> String {
        name.trim().to_lowercase()
    }
}

impl Entity for Function {
    const TABLE: &'static Table = &Table {
        name: "functions",
        noun: "function",
        columns: &[
            Definition::COLUMNS[0],
            Definition::COLUMNS[1],
            Definition::COLUMNS[2],
            Definition::COLUMNS[3],
            Definition::COLUMNS[4],
            Column::new("name_key", Kind::Text),
            Column::new("version_id", Kind::Uuid),
        ],
        uniques: &[Unique {
            name: "functions_name",
            columns: &["name_key"],
            fields: &["name"],
            message: "a function of this name exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let own = [Self::name_key(&self.definition.name).into(), self.version_id.into()];
        self.definition.encode().into_iter().chain(own).collect()
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let definition = Definition::decode(&mut cells)?;
        let _name_key = cells.text()?;
        Ok(Self { head, definition, version_id: cells.uuid()?, source: None })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            definition: Definition::sample("Sample"),
            version_id: Uuid::from_u128(3),
            source: None,
        }]
    }
}

/// A version of a function; never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionVersion {
    /// The row's head.
    pub head: Head,
    /// The function.
    pub function_id: Uuid,
    /// Which version of it, from 1.
    pub number: i64,
    /// What it consists of.
    pub definition: Definition,
    /// SHA-256 of its source, in hex.
    pub source_sha256: String,
    /// Who made it.
    pub created_by: String,
}

impl Entity for FunctionVersion {
    const TABLE: &'static Table = &Table {
        name: "function_versions",
        noun: "function version",
        columns: &[
            Definition::COLUMNS[0],
            Definition::COLUMNS[1],
            Definition::COLUMNS[2],
            Definition::COLUMNS[3],
            Definition::COLUMNS[4],
            Column::new("function_id", Kind::Uuid),
            Column::new("number", Kind::Int),
            Column::new("source_sha256", Kind::Text),
            Column::new("created_by", Kind::Text),
        ],
        uniques: &[Unique {
            name: "function_versions_number",
            columns: &["function_id", "number"],
            fields: &[],
            message: "the function was changed meanwhile",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let own = [
            self.function_id.into(),
            self.number.into(),
            self.source_sha256.clone().into(),
            self.created_by.clone().into(),
        ];
        self.definition.encode().into_iter().chain(own).collect()
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            definition: Definition::decode(&mut cells)?,
            function_id: cells.uuid()?,
            number: cells.int()?,
            source_sha256: cells.text()?,
            created_by: cells.text()?,
        })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            function_id: Uuid::from_u128(2),
            number: 1,
            definition: Definition::sample("Sample"),
            source_sha256: "00".repeat(32),
            created_by: "operator:sample".to_owned(),
        }]
    }
}

/// The source of a version; its id is the version's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSource {
    /// The row's head.
    pub head: Head,
    /// The function.
    pub function_id: Uuid,
    /// JavaScript.
    pub text: Arc<str>,
}

impl Entity for FunctionSource {
    const TABLE: &'static Table = &Table {
        name: "function_sources",
        noun: "source",
        columns: &[Column::new("function_id", Kind::Uuid), Column::new("text", Kind::Text)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.function_id.into(), (&*self.text).into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, function_id: cells.uuid()?, text: cells.text()?.into() })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            function_id: Uuid::from_u128(2),
            text: "() => 1".into(),
        }]
    }
}
