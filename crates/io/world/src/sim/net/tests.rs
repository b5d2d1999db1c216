//! The simulated network: delays, losses, cut cables, the same for the same seed.

use std::{
    future::Future,
    io::{ErrorKind, IoSlice},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::yield_now,
};

use super::*;
use crate::net::{Connect, Idle, Listener, Stream};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const TIMEOUT: Duration = Duration::from_secs(30);

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
}

fn to(ip: IpAddr) -> Connect {
    Connect { to: SocketAddr::new(ip, 25), source: None, timeout: TIMEOUT }
}

/// A network, and a connection from A to B.
struct Pair {
    net: SimNet,
    client: Stream,
    server: Stream,
    latency: Duration,
}

async fn pair_under(seed: u64, conditions: Conditions) -> Pair {
    let net = SimNet::new(seed);
    net.set_conditions(conditions);
    let (a, b) = (net.host(A), net.host(B));
    let listener = b.listen(to(B).to).unwrap();
    let (client, server) = tokio::try_join!(a.connect(to(B)), listener.accept()).unwrap();
    let latency = net.change(|inner, _| inner.latency(A, B));
    Pair { net, client, server, latency }
}

async fn pair() -> Pair {
    pair_under(1, Conditions::default()).await
}

async fn all(stream: &mut Stream) -> Result<Vec<u8>, ErrorKind> {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).await.map(|_| octets).map_err(|error| error.kind())
}

async fn kind_of_read(stream: &mut Stream) -> ErrorKind {
    stream.read(&mut [0; 64]).await.unwrap_err().kind()
}

#[test]
fn octets_come_in_order_in_pieces_and_before_the_end() {
    for seed in 0..50 {
        run(async {
            let mut pair = pair_under(seed, Conditions::default()).await;
            let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[2]).collect();
            let sending = async {
                pair.client.write_all(&sent).await.unwrap();
                drop(pair.client);
            };
            let mut server = pair.server;
            let (received, ()) = tokio::join!(all(&mut server), sending);
            assert!(received.unwrap() == sent, "seed {seed}");
        });
    }
}

#[test]
fn reads_are_fragments_of_writes() {
    run(async {
        let mut sizes = BTreeSet::new();
        let mut pair = pair().await;
        for _ in 0..300 {
            pair.client.write_all(b"RCPT TO:<bob@b.test>\r\n").await.unwrap();
            let mut left = 22;
            while left > 0 {
                let read = pair.server.read(&mut [0; 64]).await.unwrap();
                sizes.insert(read);
                left -= read;
            }
        }
        assert!(sizes.contains(&1) && sizes.contains(&22), "{sizes:?}");
        pair.net.set_conditions(Conditions { piece_max: 0, ..Conditions::default() });
        pair.client.write_all(&[7; 5000]).await.unwrap();
        assert_eq!(pair.server.read(&mut [0; 8192]).await.unwrap(), 5000, "writes stay whole");
    });
}

#[test]
fn a_write_arrives_after_the_links_latency() {
    run(async {
        let mut pair = pair().await;
        let range = Conditions::default().latency;
        assert!(range.contains(&pair.latency), "{:?}", pair.latency);
        let start = Instant::now();
        pair.client.write_all(b"x").await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO, "the writer need not wait");
        assert_eq!(pair.server.idle(), Idle::Quiet);
        assert_eq!(pair.server.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        pair.server.readable().await.unwrap();
        // tokio's timers count milliseconds.
        let late = start.elapsed() - pair.latency;
        assert!(late < Duration::from_millis(2), "{late:?} late");
        assert_eq!(pair.server.idle(), Idle::Octets);
        assert_eq!(pair.server.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn a_full_window_makes_the_writer_wait() {
    run(async {
        let mut pair = pair_under(1, Conditions { window: 1000, ..Conditions::default() }).await;
        assert_eq!(pair.client.write(&[0; 1500]).await.unwrap(), 1000);
        let waiting = tokio::time::timeout(Duration::from_secs(3600), pair.client.write(&[0]));
        assert!(waiting.await.is_err(), "nobody reads");
        let reading = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            pair.server.read(&mut [0; 1]).await.unwrap()
        };
        let (written, read) = tokio::join!(pair.client.write(&[0; 1500]), reading);
        assert_eq!((written.unwrap(), read), (1, 1), "as much as was read");
    });
}

#[test]
fn a_half_close_leaves_the_other_direction() {
    run(async {
        let mut pair = pair().await;
        pair.client.write_all(b"QUIT\r\n").await.unwrap();
        pair.client.shutdown().await.unwrap();
        let late = pair.client.write(b"more").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::BrokenPipe);
        assert_eq!(all(&mut pair.server).await.unwrap(), b"QUIT\r\n");
        pair.server.write_all(b"221 bye\r\n").await.unwrap();
        drop(pair.server);
        assert_eq!(all(&mut pair.client).await.unwrap(), b"221 bye\r\n");
        assert_eq!(pair.client.idle(), Idle::Closed);
        drop(pair.client);
        assert_eq!(pair.net.connections(), 0, "nothing is left behind");
    });
}

#[test]
fn closing_with_octets_unread_resets() {
    run(async {
        let mut pair = pair().await;
        pair.client.write_all(b"DATA\r\n").await.unwrap();
        pair.server.readable().await.unwrap();
        pair.server.write_all(b"421 too busy\r\n").await.unwrap();
        drop(pair.server);
        // The known trap: the reset catches up with the reply and destroys it.
        assert_eq!(kind_of_read(&mut pair.client).await, ErrorKind::ConnectionReset);
    });
}

#[test]
fn writing_to_who_has_closed_is_met_by_a_reset() {
    run(async {
        let mut pair = pair().await;
        drop(pair.server);
        assert_eq!(pair.client.read(&mut [0]).await.unwrap(), 0, "closed in order");
        pair.client.write_all(b"NOOP\r\n").await.expect("the peer's reset is yet to come");
        tokio::time::sleep(3 * pair.latency).await;
        let error = pair.client.write(b"NOOP\r\n").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reset_loses_what_is_under_way_and_wakes_both_ends() {
    run(async {
        let Pair { net, mut client, mut server, .. } = pair().await;
        client.write_all(b"250 lost\r\n").await.unwrap();
        let reading = tokio::spawn(async move { kind_of_read(&mut server).await });
        let waiting = tokio::spawn(async move { kind_of_read(&mut client).await });
        yield_now().await;
        net.reset(B);
        assert_eq!(reading.await.unwrap(), ErrorKind::ConnectionReset);
        assert_eq!(waiting.await.unwrap(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn one_write_in_so_many_resets() {
    let count = |seed| {
        run(async {
            let conditions = Conditions { reset_one_in: Some(20), ..Conditions::default() };
            let mut pair = pair_under(seed, conditions).await;
            let mut writes = 0;
            while pair.client.write_all(b"x").await.is_ok() {
                writes += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(kind_of_read(&mut pair.server).await, ErrorKind::ConnectionReset);
            writes
        })
    };
    let counts: Vec<u32> = (0..200).map(count).collect();
    let mean = f64::from(counts.iter().sum::<u32>()) / 200.0;
    assert!((14.0..26.0).contains(&mean), "about one in 20: {mean}");
}

#[test]
fn how_connecting_fails() {
    run(async {
        let net = SimNet::new(3);
        let (a, _) = (net.host(A), net.host(B));
        let latency = net.change(|inner, _| inner.latency(A, B));
        let foreign = Some("192.0.2.77".parse().unwrap());
        let nobody = "192.0.2.99".parse().unwrap();
        let rows = [
            (to(B), false, ErrorKind::ConnectionRefused, 2 * latency, "nobody listens"),
            (to(B), true, ErrorKind::TimedOut, TIMEOUT, "the host is cut off"),
            (to(nobody), false, ErrorKind::TimedOut, TIMEOUT, "there is no such host"),
            (
                Connect { source: foreign, ..to(B) },
                false,
                ErrorKind::AddrNotAvailable,
                Duration::ZERO,
                "the source is not ours",
            ),
        ];
        for (connect, is_cut, kind, takes, why) in rows {
            if is_cut {
                net.cut(B);
            }
            let start = Instant::now();
            assert_eq!(a.connect(connect).await.unwrap_err().kind(), kind, "{why}");
            let late = start.elapsed() - takes;
            // Two timers of up to a millisecond for the round trip, none for the rest.
            let slack =
                if takes == 2 * latency { Duration::from_millis(2) } else { Duration::ZERO };
            assert!(late <= slack, "{why}: {late:?} late");
            net.heal(B);
        }
        assert_eq!(net.connections(), 0);
    });
}

#[test]
fn a_cut_off_host_times_out_to_the_millisecond() {
    run(async {
        let net = SimNet::new(4);
        let a = net.host(A);
        net.host(B);
        net.cut(B);
        let start = Instant::now();
        let error = a.connect(to(B)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), TIMEOUT);
    });
}

#[test]
fn a_cut_delays_and_loses_nothing() {
    run(async {
        let mut pair = pair().await;
        pair.client.write_all(b"before ").await.unwrap();
        pair.net.cut(B);
        pair.client.write_all(b"during").await.unwrap();
        let day = Duration::from_secs(86_400);
        let silence = tokio::time::timeout(day, pair.server.readable()).await;
        assert!(silence.is_err(), "nothing comes through");
        let hearing = async {
            let mut octets = [0; 13];
            pair.server.read_exact(&mut octets).await.unwrap();
            octets
        };
        let healing = async {
            tokio::time::sleep(day).await;
            pair.net.heal(B);
        };
        let (octets, ()) = tokio::join!(hearing, healing);
        assert_eq!(&octets, b"before during");
    });
}

#[test]
fn a_host_talks_to_itself_even_when_cut_off() {
    run(async {
        let net = SimNet::new(5);
        let a = net.host(A);
        net.also(A, "2001:db8::1".parse().unwrap());
        net.cut(A);
        let own = [A, "2001:db8::1".parse().unwrap(), Ipv4Addr::LOCALHOST.into()];
        let any: Vec<Listener> =
            ["0.0.0.0:25", "[::]:25"].map(|at| a.listen(at.parse().unwrap()).unwrap()).into();
        for ip in own {
            let listener = &any[usize::from(ip.is_ipv6())];
            let (client, server) = tokio::try_join!(a.connect(to(ip)), listener.accept()).unwrap();
            assert_eq!(client.peer().ip(), Some(ip));
            assert_eq!(server.peer(), client.local().unwrap());
        }
        assert_eq!(
            a.addresses_of_this_machine().unwrap(),
            ["127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"]
                .map(|ip| ip.parse::<IpAddr>().unwrap())
        );
    });
}

#[test]
fn listeners_and_their_addresses() {
    run(async {
        let net = SimNet::new(6);
        let (a, b) = (net.host(A), net.host(B));
        let first = a.listen(to(A).to).unwrap();
        assert_eq!(a.listen(to(A).to).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(a.listen(to(B).to).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
        // Accepted by the kernel, never by the program.
        let mut waiting = b.connect(to(A)).await.unwrap();
        drop(first);
        assert_eq!(kind_of_read(&mut waiting).await, ErrorKind::ConnectionReset);
        let again = a.listen(SocketAddr::new(A, 0)).unwrap();
        assert!(again.local().unwrap().socket().unwrap().port() >= PORT_FIRST);

        let path = Path::new("/run/lmtp");
        let lmtp = a.listen_unix(path, 0o600).unwrap();
        let (mut client, mut server) =
            tokio::try_join!(a.connect_unix(path), lmtp.accept()).unwrap();
        server.write_all(b"220\r\n").await.unwrap();
        drop(server);
        assert_eq!(all(&mut client).await.unwrap(), b"220\r\n");
        assert_eq!(client.peer().to_string(), "/run/lmtp");
        let elsewhere = b.connect_unix(path).await.unwrap_err();
        assert_eq!(elsewhere.kind(), ErrorKind::ConnectionRefused, "a path is its host's own");
    });
}

#[test]
fn giving_up_while_connecting_leaves_nothing_behind() {
    run(async {
        let net = SimNet::new(7);
        let slow = Duration::from_secs(10);
        net.set_conditions(Conditions { latency: slow..=slow, ..Conditions::default() });
        let (a, b) = (net.host(A), net.host(B));
        let listener = b.listen(to(B).to).unwrap();
        // The SYN has arrived after 10 s; its answer would after 20.
        let hasty = Connect { timeout: Duration::from_secs(15), ..to(B) };
        assert_eq!(a.connect(hasty).await.unwrap_err().kind(), ErrorKind::TimedOut);
        let mut server = listener.accept().await.unwrap();
        assert_eq!(all(&mut server).await.unwrap(), b"", "who gave up has closed");
        drop(server);
        assert_eq!(net.connections(), 0);
    });
}

/// What an observer sees of a busy network: who got how much, and when.
fn course(seed: u64) -> Vec<String> {
    run(async {
        let net = SimNet::new(seed);
        net.set_conditions(Conditions { reset_one_in: Some(40), ..Conditions::default() });
        let start = Instant::now();
        let listener = net.host(B).listen(to(B).to).unwrap();
        let serving = tokio::spawn(async move {
            let mut log = Vec::new();
            for _ in 0..10 {
                let mut stream = listener.accept().await.unwrap();
                loop {
                    let mut buffer = [0; 512];
                    let read = stream.read(&mut buffer).await.map_err(|error| error.kind());
                    log.push(format!("{:?} {} {read:?}", start.elapsed(), stream.peer()));
                    if !matches!(read, Ok(1..)) {
                        break;
                    }
                }
            }
            log
        });
        for host in 10..20_u8 {
            let client = net.host([192, 0, 2, host].into());
            tokio::spawn(async move {
                let mut stream = client.connect(to(B)).await.unwrap();
                for _ in 0..host {
                    if stream.write_all(&[host; 700]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(7)).await;
                }
            });
        }
        serving.await.unwrap()
    })
}

#[test]
fn one_seed_one_course() {
    let courses: BTreeSet<Vec<String>> = (0..20)
        .map(|seed| {
            let first = course(seed);
            assert!(first == course(seed), "seed {seed}");
            first
        })
        .collect();
    assert_eq!(courses.len(), 20, "and another seed, another course");
    let text = courses.iter().flatten().cloned().collect::<String>();
    assert!(text.contains("ConnectionReset") && text.contains("Ok(0)"), "both ends are seen");
}

#[test]
fn who_listens_hears_what_is_written_in_order_and_by_whom() {
    run(async {
        let Pair { net, mut client, mut server, .. } = pair().await;
        let heard: Arc<Mutex<[Vec<u8>; 2]>> = Arc::default();
        let own = heard.clone();
        net.listen_in(Arc::new(move |it: &Heard<'_>| {
            assert_eq!(it.ends[1].ip(), Some(B));
            own.lock().unwrap()[it.side].extend_from_slice(it.octets);
        }));
        client.write_all(b"EHLO a.test\r\n").await.unwrap();
        server.write_all(b"250 b.test\r\n").await.unwrap();
        let slices = [IoSlice::new(b"MAIL "), IoSlice::new(b"FROM:<>\r\n")];
        assert_eq!(client.write_vectored(&slices).await.unwrap(), 14);
        let [by_client, by_server] = heard.lock().unwrap().clone();
        assert_eq!(by_client, b"EHLO a.test\r\nMAIL FROM:<>\r\n");
        assert_eq!(by_server, b"250 b.test\r\n");
    });
}
