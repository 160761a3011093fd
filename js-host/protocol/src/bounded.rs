//! Lists that refuse to grow past a count while they are being decoded.
//!
//! An empty text takes one byte of a frame and 24 bytes of memory: without a bound by count the largest frame
//! could claim hundreds of megabytes.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::{fmt, marker::PhantomData};

struct ListVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for ListVisitor<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MOST} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(MOST).min(64));
        while let Some(item) = items.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::custom("list too long"));
            }
            list.push(item);
        }
        Ok(list)
    }
}

/// Decodes a list of at most `MOST` items.
pub(crate) fn list<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(ListVisitor::<T, MOST>(PhantomData))
}
