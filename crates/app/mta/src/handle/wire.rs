//! One JSON value a line.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Request, Response};

/// No request is longer.
const REQUEST_MAX: u64 = 1 << 20;

/// An explanation holds transcripts.
pub(super) const RESPONSE_MAX: u64 = 64 << 20;

/// The next request; `None` when the client has gone. `InvalidData` if it is none: answer `Refused`, and
/// go on.
pub async fn read_request<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Request>> {
    read(from, REQUEST_MAX).await
}

/// Sends a response, without flushing. After `Content`, its octets are the caller's to send.
pub async fn write_response<W: AsyncWrite + Unpin>(
    to: &mut W,
    response: &Response,
) -> io::Result<()> {
    write(to, response).await
}

pub(super) async fn read<T, R>(from: &mut R, length_max: u64) -> io::Result<Option<T>>
where
    T: DeserializeOwned,
    R: AsyncBufRead + Unpin,
{
    let mut line = Vec::new();
    from.take(length_max).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => serde_json::from_slice(&line).map(Some).map_err(io::Error::from),
        Some(_) if line.len() as u64 == length_max => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, "the line is too long"))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

pub(super) async fn write<T: Serialize, W: AsyncWrite + Unpin>(
    to: &mut W,
    value: &T,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await
}
