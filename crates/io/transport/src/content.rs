//! A message's content, as the transport needs it.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;

/// What is to be relayed: trace fields and content as received, one behind the other. Without dots
/// stuffed and without the final dot: those are the protocol's.
#[async_trait]
pub trait Content: Send + Sync {
    /// Octets in all.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The whole in two pieces, if it is in memory.
    fn in_memory(&self) -> Option<[Bytes; 2]>;
    /// Reads up to `length` octets from `offset` on; fewer only at the end. Damage is an error.
    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes>;
}

/// Content that is in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub Bytes);

#[async_trait]
impl Content for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn in_memory(&self) -> Option<[Bytes; 2]> {
        Some([self.0.clone(), Bytes::new()])
    }

    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let end = start.saturating_add(length).min(self.0.len());
        Ok(self.0.slice(start..end))
    }
}
