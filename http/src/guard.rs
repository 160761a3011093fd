//! What must hold of every JSON body before it is read into its type: bounded depth, no key twice, no U+0000.
//!
//! serde reads the last of two equal keys in a map and says nothing; two parsers that disagree on which one counts are
//! an old way around a check. PostgreSQL keeps no U+0000 in text or JSON, so it is refused at the door.

use std::{collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Walks a value of at most this many levels.
#[derive(Clone, Copy)]
pub struct Guard {
    levels: usize,
    most: usize,
}

impl Guard {
    /// A guard of `most` levels of arrays and objects.
    pub const fn new(most: usize) -> Self {
        Self { levels: most, most }
    }

    fn within<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!("arrays and objects lie within each other deeper than {}", self.most))
        })?;
        Ok(Self { levels, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Guard {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Guard {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(E::custom("the character U+0000 is not allowed")) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let within = self.within()?;
        while items.next_element_seed(within)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let within = self.within()?;
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key::<Key<'de>>()? {
            within.visit_str(&key.0)?;
            if seen.contains(&key.0) {
                return Err(Error::custom(format_args!("the key {:?} occurs twice", key.0)));
            }
            seen.insert(key.0);
            members.next_value_seed(within)?;
        }
        Ok(())
    }
}

#[derive(serde::Deserialize, PartialEq, Eq, Hash)]
struct Key<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        Guard::new(3).deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_well_passes() {
        assert_eq!(check(r#"{"a":[{"b":1.5e3}],"b":null,"c":"\u00e9"}"#), Ok(()));
    }

    #[test]
    fn depth_doubles_and_zeros_are_refused_with_their_place() {
        for (text, told) in [
            ("[[[[1]]]]", "deeper than 3"),
            (r#"{"a":1,"b":{"c":1,"c":2}}"#, "\"c\" occurs twice"),
            (r#"{"a":1,"\u0061":2}"#, "\"a\" occurs twice"),
            (r#"["\u0000"]"#, "U+0000"),
            (r#"{"\u0000":1}"#, "U+0000"),
        ] {
            let refused = check(text).expect_err(text);
            assert!(refused.contains(told) && refused.contains("line 1"), "{text}: {refused}");
        }
        assert!(check("[1,]").is_err());
        assert!(check("1 2").is_err());
    }
}
