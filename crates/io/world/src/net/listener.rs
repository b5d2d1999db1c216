//! Where connections come in.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net,
    },
    path::Path,
    sync::Arc,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::{Endpoint, Stream};
use crate::sim::net::SimListener;

/// Connections that the kernel completes before we accept them; it may allow fewer (`somaxconn`).
const BACKLOG: i32 = 4096;

/// Where connections come in.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, and its path.
    Unix(UnixListener, Arc<Path>),
    /// Simulated.
    Sim(SimListener),
}

impl Listener {
    /// The next connection. Cancel safe.
    ///
    /// # Errors
    /// What the operating system says. None of it means that the listener is broken: with too many
    /// open files wait a little, else (a peer that is gone already) go on at once.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(tcp) => {
                // TCP_NODELAY is inherited from the listening socket.
                let (stream, peer) = tcp.accept().await?;
                Ok(Stream::Tcp(stream, peer))
            }
            Self::Unix(unix, path) => {
                let (stream, _) = unix.accept().await?;
                Ok(Stream::Unix(stream, Arc::clone(path)))
            }
            Self::Sim(sim) => sim.accept().await.map(Stream::Sim),
        }
    }

    /// Where it listens, with the port that was taken for port 0.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local(&self) -> io::Result<Endpoint> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr().map(Endpoint::Ip),
            Self::Unix(_, path) => Ok(Endpoint::Unix(Arc::clone(path))),
            Self::Sim(sim) => Ok(sim.local()),
        }
    }
}

pub(super) fn listen_tcp(at: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if at.is_ipv6() {
        // `[::]` and `0.0.0.0` are two listeners, on every system alike.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Tcp(TcpListener::from_std(socket.into())?))
}

pub(super) fn listen_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before `listen`: until then nobody can connect, whatever the umask was.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Unix(UnixListener::from_std(socket.into())?, path.into()))
}

/// Removes a socket that nobody listens on any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !there.file_type().is_socket() {
        let text = format!("`{}` is there and is no socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match net::UnixStream::connect(path) {
        Ok(_) => {
            let text = format!("another process listens on `{}`", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::{Connect, Idle, Net};

    fn to(listener: &Listener) -> Connect {
        let to = listener.local().unwrap().socket().unwrap();
        Connect { to, source: None, timeout: Duration::from_secs(5) }
    }

    async fn settle(stream: &Stream) -> Idle {
        stream.readable().await.unwrap();
        stream.idle()
    }

    #[tokio::test]
    async fn tcp_carries_octets_and_knows_both_ends() {
        let listener = Net::Real.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let from = Connect { source: Some("127.0.0.9".parse().unwrap()), ..to(&listener) };
        let (mut client, server) =
            tokio::try_join!(Net::Real.connect(from), listener.accept()).unwrap();
        assert_eq!(server.peer().ip(), from.source, "the source address was used");
        assert_eq!(client.peer(), server.local().unwrap());
        assert_eq!(client.local().unwrap(), server.peer());
        for stream in [&client, &server] {
            let Stream::Tcp(tcp, _) = stream else { panic!("{stream:?}") };
            assert!(tcp.nodelay().unwrap(), "small replies must not wait (Nagle)");
        }
        let would_block = server.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(would_block.kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"EHLO").await.unwrap();
        server.readable().await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(server.try_read(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"EHLO");
    }

    #[tokio::test]
    async fn an_idle_connection_tells_whether_it_can_be_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lmtp");
        let listeners = [
            Net::Real.listen("127.0.0.1:0".parse().unwrap()).unwrap(),
            Net::Real.listen_unix(&path, 0o600).unwrap(),
        ];
        for listener in listeners {
            let connect = async {
                match listener.local().unwrap() {
                    Endpoint::Ip(_) => Net::Real.connect(to(&listener)).await,
                    Endpoint::Unix(path) => Net::Real.connect_unix(&path).await,
                }
            };
            let (mut client, mut server) = tokio::try_join!(connect, listener.accept()).unwrap();
            assert_eq!(client.idle(), Idle::Quiet);
            server.write_all(b"421 4.4.2 bye\r\n").await.unwrap();
            assert_eq!(settle(&client).await, Idle::Octets);
            let mut words = [0; 15];
            client.read_exact(&mut words).await.unwrap();
            assert_eq!(client.idle(), Idle::Quiet, "looking took nothing, reading took all");
            drop(server);
            assert_eq!(settle(&client).await, Idle::Closed);
        }
    }

    #[tokio::test]
    async fn connect_says_what_went_wrong() {
        let gone = Net::Real.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let refused = to(&gone);
        drop(gone);
        let rows = [
            (refused, io::ErrorKind::ConnectionRefused),
            // An address of documentation (RFC 5737) is not ours.
            (
                Connect { source: Some("192.0.2.1".parse().unwrap()), ..refused },
                io::ErrorKind::AddrNotAvailable,
            ),
            (
                Connect { source: Some("::1".parse().unwrap()), ..refused },
                io::ErrorKind::InvalidInput,
            ),
        ];
        for (connect, kind) in rows {
            assert_eq!(Net::Real.connect(connect).await.unwrap_err().kind(), kind, "{connect:?}");
        }
    }

    #[tokio::test]
    async fn a_unix_socket_is_private_and_a_stale_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let first = Net::Real.listen_unix(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let taken = Net::Real.listen_unix(&path, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse, "{taken}");
        drop(first);
        assert!(path.exists(), "a dead process leaves it behind");
        Net::Real.listen_unix(&path, 0o600).expect("nobody answers there");
        let file = directory.path().join("file");
        fs::write(&file, "precious").unwrap();
        let occupied = Net::Real.listen_unix(&file, 0o600).unwrap_err();
        assert_eq!(occupied.kind(), io::ErrorKind::AlreadyExists, "{occupied}");
        assert_eq!(fs::read(&file).unwrap(), b"precious");
    }

    #[test]
    fn this_machine_has_its_loopback() {
        let addresses = Net::Real.addresses_of_this_machine().unwrap();
        assert!(addresses.contains(&"127.0.0.1".parse().unwrap()), "{addresses:?}");
        assert!(addresses.is_sorted());
    }
}
