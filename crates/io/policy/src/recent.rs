//! A map that never grows beyond a bound: what was used least recently goes, half of it at a time.
//!
//! Two generations: what is written or read is in the young one; when that is full it becomes the old
//! one, and the old one goes as a whole. No list, no scan, no order that could be seen.

use std::{collections::HashMap, hash::Hash};

/// At most `2 * half` entries. Empty it owns no memory.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V, ahash::RandomState>,
    old: HashMap<K, V, ahash::RandomState>,
    half: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// For that many entries, and up to as many again on their way out.
    pub fn new(half: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), half: half.max(1) }
    }

    /// The entry, which is young again.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// The entry, and nothing changes: for questions that are only questions.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The entry, which is young again; a new one if there was none.
    pub fn get_or_insert_with(&mut self, key: &K, new: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
    {
        let value = self.remove(key).unwrap_or_else(new);
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key.clone()).or_insert(value)
    }

    /// All entries, in no order: sort what is shown.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(&self.old)
    }

    /// Puts an entry in, or another value for it.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Entries, at most twice what [`Recent::new`] was told.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut recent = Recent::new(10);
        for number in 0..1_000 {
            recent.insert(number, number);
            assert_eq!(recent.get(&0), Some(&mut 0), "after {number}");
            assert!(recent.len() <= 20);
        }
        assert_eq!(recent.peek(&1), None);
        assert_eq!(recent.peek(&999), Some(&999));
        assert_eq!(recent.remove(&999), Some(999));
        assert_eq!(recent.remove(&999), None);
    }
}
