//! The asking end.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{Request, Response, wire};

/// A connection to a running server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Nobody listens at the socket.
    #[error("no server is running with the control socket `{}`", .0.display())]
    NotRunning(PathBuf),
    /// It is there, but not for us.
    #[error("the control socket `{}` belongs to another user", .0.display())]
    NotAllowed(PathBuf),
    /// It said no.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What would help.
        help: Option<String>,
    },
    /// The connection broke, or what came was not understood: another version, perhaps.
    #[error("the server at `{}` broke off", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// The operating system's word, or the reader's.
        source: io::Error,
    },
    /// What was asked for could not be written where it should go.
    #[error("cannot write what the server sent")]
    Output(#[source] io::Error),
}

impl Client {
    /// Connects.
    pub async fn connect(path: &Path) -> Result<Self, HandleError> {
        let path = path.to_owned();
        match UnixStream::connect(&path).await {
            Ok(stream) => Ok(Self { stream: BufReader::new(stream), path }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    HandleError::NotRunning(path)
                }
                io::ErrorKind::PermissionDenied => HandleError::NotAllowed(path),
                _ => HandleError::Broken { path, source: error },
            }),
        }
    }

    /// Asks, and hands each response but the last to `each`. The count and notes of the last.
    pub async fn ask(
        &mut self,
        request: &Request,
        mut each: impl FnMut(Response),
    ) -> Result<(u64, Vec<String>), HandleError> {
        self.send(request).await?;
        loop {
            match self.next().await? {
                Response::Done { count, notes } => return Ok((count, notes)),
                Response::Refused { message, help } => {
                    return Err(HandleError::Refused { message, help });
                }
                response => each(response),
            }
        }
    }

    /// Asks for a message's content, and writes it out. How many octets it has.
    pub async fn export<W>(&mut self, id: &str, to: &mut W) -> Result<u64, HandleError>
    where
        W: AsyncWrite + Unpin,
    {
        self.send(&Request::Export { id: id.to_owned() }).await?;
        let mut total = 0;
        loop {
            match self.next().await? {
                Response::Done { .. } => return Ok(total),
                Response::Refused { message, help } => {
                    return Err(HandleError::Refused { message, help });
                }
                Response::Content { length } => {
                    self.copy(length, to).await?;
                    total += length;
                }
                _ => return Err(self.broken(io::ErrorKind::InvalidData.into())),
            }
        }
    }

    async fn copy<W>(&mut self, mut left: u64, to: &mut W) -> Result<(), HandleError>
    where
        W: AsyncWrite + Unpin,
    {
        let mut piece = vec![0; 64 << 10];
        while left > 0 {
            let most = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let length = match self.stream.read(&mut piece[..most]).await {
                Ok(0) => return Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => length,
                Err(error) => return Err(self.broken(error)),
            };
            to.write_all(&piece[..length]).await.map_err(HandleError::Output)?;
            left -= length as u64;
        }
        to.flush().await.map_err(HandleError::Output)
    }

    async fn send(&mut self, request: &Request) -> Result<(), HandleError> {
        let sent = wire::write(&mut self.stream, request).await;
        sent.map_err(|error| self.broken(error))
    }

    async fn next(&mut self) -> Result<Response, HandleError> {
        match wire::read(&mut self.stream, wire::RESPONSE_MAX).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, source: io::Error) -> HandleError {
        HandleError::Broken { path: self.path.clone(), source }
    }
}
