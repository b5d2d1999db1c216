//! The spool's content as the transport takes it: `mta` introduces the two.

use std::{io, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

/// Content that is kept.
pub struct Kept(pub Arc<dyn spool::Content>);

#[async_trait]
impl transport::Content for Kept {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn in_memory(&self) -> Option<[Bytes; 2]> {
        self.0.in_memory()
    }

    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.0.read(offset, length).await.map_err(io::Error::other)
    }
}
