//! A key that takes one text or a list of them. For `#[serde(with = "one_or_many")]`.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// One as a text, several as a list.
pub fn serialize<T: fmt::Display, S: Serializer>(items: &[T], to: S) -> Result<S::Ok, S::Error> {
    match items {
        [one] => to.collect_str(one),
        many => many.iter().map(T::to_string).collect::<Vec<_>>().serialize(to),
    }
}

/// Reads either.
pub fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    from.deserialize_any(OneOrMany(PhantomData))
}

/// Reads texts into `T`.
pub struct OneOrMany<T>(pub PhantomData<T>);

impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![text.parse().map_err(E::custom)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            items.push(text.parse().map_err(A::Error::custom)?);
        }
        Ok(items)
    }
}
