//! The rows of randomness.

use chrono::DateTime;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

use super::derive::Encoding;

/// A value that was answered. The bytes follow from the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomValue {
    /// The row's head; `created_at` is signed.
    pub head: Head,
    /// What makes the request repeatable; the row's id where the caller named none.
    pub request_id: String,
    /// How many bytes.
    pub length: i64,
    /// How they were asked for.
    pub encoding: Encoding,
    /// Which value of the key it is.
    pub counter: i64,
    /// Whether the key was made by the daemon at its start.
    pub ephemeral: bool,
    /// The public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// The signature, 64 bytes.
    pub signature: Vec<u8>,
}

impl Entity for RandomValue {
    const TABLE: &'static Table = &Table {
        name: "random_values",
        noun: "random value",
        columns: &[
            Column::new("request_id", Kind::Text),
            Column::new("length", Kind::Int),
            Column::new("encoding", Kind::Text),
            Column::new("counter", Kind::Int),
            Column::new("ephemeral", Kind::Bool),
            Column::new("public_key", Kind::Bytes),
            Column::new("signature", Kind::Bytes),
        ],
        uniques: &[Unique {
            name: "random_values_request",
            columns: &["request_id"],
            fields: &["request_id"],
            message: "a random value of this request_id exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.request_id.clone().into(),
            self.length.into(),
            self.encoding.as_str().into(),
            self.counter.into(),
            self.ephemeral.into(),
            self.public_key.clone().into(),
            self.signature.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            request_id: cells.text()?,
            length: cells.int()?,
            encoding: cells.named(Encoding::read)?,
            counter: cells.int()?,
            ephemeral: cells.bool()?,
            public_key: cells.bytes()?,
            signature: cells.bytes()?,
        })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            request_id: "sample".to_owned(),
            length: 32,
            encoding: Encoding::Base64,
            counter: 1,
            ephemeral: false,
            public_key: vec![1; 32],
            signature: vec![2; 64],
        }]
    }
}

/// How far the counters of a signing key are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomCounter {
    /// The row's head, of the system; the id follows from the key.
    pub head: Head,
    /// The public key.
    pub public_key: Vec<u8>,
    /// The highest counter that some daemon may give.
    pub reserved: i64,
}

impl Entity for RandomCounter {
    const TABLE: &'static Table = &Table {
        name: "random_counters",
        noun: "random counter",
        columns: &[Column::new("public_key", Kind::Bytes), Column::new("reserved", Kind::Int)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.public_key.clone().into(), self.reserved.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, public_key: cells.bytes()?, reserved: cells.int()? })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        vec![Self { head, public_key: vec![1; 32], reserved: 1_000 }]
    }
}
