//! What is remembered from line to line: a map that forgets its oldest entries.

use std::collections::{HashMap, VecDeque};

/// A map of at most so many entries. Nothing walks over it, so its order is never seen.
#[derive(Debug)]
pub(super) struct Memory<V> {
    entries: HashMap<String, (u64, V)>,
    /// Names in the order in which they came, each with the age that it had then: an entry that was
    /// removed or came anew leaves a stale one behind.
    order: VecDeque<(u64, String)>,
    next: u64,
    entries_max: usize,
}

impl<V> Memory<V> {
    /// An empty one.
    pub fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), next: 0, entries_max }
    }

    /// What is known by that name.
    pub fn find(&self, name: &str) -> Option<&V> {
        self.entries.get(name).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut V> {
        self.entries.get_mut(name).map(|(_, value)| value)
    }

    /// Remembers; gives what had to be forgotten for it, or what the name stood for before.
    pub fn put(&mut self, name: &str, value: V) -> Option<V> {
        let age = self.next;
        self.next += 1;
        self.order.push_back((age, name.to_owned()));
        if let Some((_, before)) = self.entries.insert(name.to_owned(), (age, value)) {
            self.sweep();
            return Some(before);
        }
        if self.entries.len() <= self.entries_max { None } else { self.forget_oldest() }
    }

    /// Forgets, and gives what it was.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let (_, value) = self.entries.remove(name)?;
        self.sweep();
        Some(value)
    }

    /// Takes the oldest out.
    pub fn forget_oldest(&mut self) -> Option<V> {
        while let Some((age, name)) = self.order.pop_front() {
            if self.entries.get(&name).is_some_and(|(current, _)| *current == age) {
                return self.entries.remove(&name).map(|(_, value)| value);
            }
        }
        None
    }

    /// Keeps the order from growing over the entries, whatever comes and goes.
    fn sweep(&mut self) {
        if self.order.len() > 2 * self.entries.len() + 64 {
            let entries = &self.entries;
            self.order.retain(|(age, name)| entries.get(name).is_some_and(|(now, _)| now == age));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut memory = Memory::new(2);
        assert_eq!(memory.put("a", 1), None);
        assert_eq!(memory.put("b", 2), None);
        assert_eq!(memory.put("a", 3), Some(1)); // anew: now `b` is the oldest
        assert_eq!(memory.put("c", 4), Some(2));
        assert_eq!(
            (memory.find("a"), memory.find("b"), memory.find("c")),
            (Some(&3), None, Some(&4))
        );
        assert_eq!(memory.remove("a"), Some(3));
        assert_eq!(memory.forget_oldest(), Some(4));
        assert_eq!(memory.forget_oldest(), None);
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing_behind() {
        let mut memory = Memory::new(10);
        for number in 0..100_000 {
            memory.put(&number.to_string(), ());
            memory.remove(&number.to_string());
        }
        assert!(memory.order.len() < 100);
    }
}
