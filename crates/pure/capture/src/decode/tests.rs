//! Link layers and headers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Content, Report, Segment, address, frame, whole};
use crate::{
    build::{self, ACK, Link, SYN},
    fragments::Fragments,
};

const CLIENT: &str = "192.0.2.1:40000";
const SERVER: &str = "198.51.100.9:25";
const CLIENT_6: &str = "[2001:db8::1]:40000";
const SERVER_6: &str = "[2001:db8:9::25]:25";

fn made(client: &str, server: &str, octets: &[u8]) -> build::Segment {
    let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
    let mut segment = build::Segment::new(socket(client), socket(server), ACK);
    segment.sequence = 7;
    segment.acknowledgment = 9;
    segment.octets = octets.to_vec();
    segment
}

/// Decodes a frame of which all was captured.
fn seen(link: u16, octets: &[u8]) -> Content<'_> {
    frame(link, octets, octets.len() as u32)
}

fn segment(content: Content<'_>) -> Segment<'_> {
    match content {
        Content::Segment(segment) => segment,
        other => panic!("{other:?} is no segment"),
    }
}

fn check(link: u16, frame: &[u8], what: &str) {
    let segment = segment(seen(link, frame));
    assert_eq!((segment.octets, segment.length), (&b"EHLO"[..], 4), "{what}");
    assert_eq!((segment.source.1, segment.destination.1), (40_000, 25), "{what}");
    assert_eq!((segment.sequence, segment.acknowledgment), (7, 9), "{what}");
}

#[test]
fn every_link_layer_leads_to_the_segment() {
    for (client, server) in [(CLIENT, SERVER), (CLIENT_6, SERVER_6)] {
        let packet = made(client, server, b"EHLO").packet();
        for link in
            [Link::Ethernet, Link::LinuxCooked, Link::LinuxCooked2, Link::Raw, Link::Loopback]
        {
            check(link.number(), &link.frame(&packet), "as the builder frames it");
        }
        let is_4 = client == CLIENT;
        let (kind, ppp) = if is_4 { ([8, 0], [0, 0x21]) } else { ([0x86, 0xdd], [0, 0x57]) };
        let ethernet = |layers: &[&[u8]]| {
            let mut frame = vec![2; 12];
            frame.extend(layers.concat());
            frame.extend(&packet);
            frame.extend([0; 6]); // a short frame's padding
            frame
        };
        check(1, &ethernet(&[&[0x81, 0], &[0, 9], &kind]), "VLAN");
        check(1, &ethernet(&[&[0x88, 0xa8], &[0, 9], &[0x81, 0], &[0, 7], &kind]), "QinQ");
        check(1, &ethernet(&[&[0x88, 0x64], &[0x11, 0, 0, 1, 0, 60], &ppp]), "PPPoE");
        check(1, &ethernet(&[&[0x88, 0x47], &[0, 0, 0, 64], &[0, 0, 1, 64]]), "two MPLS labels");
        check(1, &ethernet(&[&[0, 70], &[0xaa, 0xaa, 3, 0, 0, 0], &kind]), "802.3 with SNAP");
        check(9, &[&[0xff, 3][..], &ppp, &packet].concat(), "PPP");
        check(9, &[&ppp[1..], &packet].concat(), "PPP with a compressed protocol");
        check(12, &packet, "BSD's raw IP");
        check(104, &[&[0x0f, 0][..], &kind, &packet].concat(), "Cisco HDLC");
        check(109, &[&[0; 12][..], &packet].concat(), "OpenBSD IPsec");
        check(
            239,
            &[&[2, 0, 0, 1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0][..], &packet].concat(),
            "nflog",
        );
    }
}

/// An IPv4 packet of a protocol around some octets.
fn around(protocol: u8, inner: &[u8]) -> Vec<u8> {
    let mut packet = made(CLIENT, SERVER, &[0; 64]).packet()[..20].to_vec();
    packet[2..4].copy_from_slice(&((20 + inner.len()) as u16).to_be_bytes());
    packet[9] = protocol;
    packet.extend(inner);
    packet
}

#[test]
fn tunnels_are_entered() {
    let packet = made(CLIENT, SERVER, b"EHLO").packet();
    let packet_6 = made(CLIENT_6, SERVER_6, b"EHLO").packet();
    let ethernet = Link::Ethernet.frame(&packet);
    check(101, &around(4, &packet), "IP in IP");
    check(101, &around(41, &packet_6), "IPv6 in IP");
    check(101, &around(47, &[&[0, 0, 8, 0][..], &packet].concat()), "GRE");
    let keyed = [&[0x30, 0, 0x86, 0xdd, 1, 2, 3, 4, 0, 0, 0, 1][..], &packet_6].concat();
    check(101, &around(47, &keyed), "GRE with key and sequence");
    check(101, &around(47, &[&[0, 0, 0x65, 0x58][..], &ethernet].concat()), "GRE with Ethernet");
    let mirrored = [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], &[0; 8], &ethernet].concat();
    check(101, &around(47, &mirrored), "ERSPAN");
    let mut deep = packet;
    for _ in 0..9 {
        deep = around(4, &deep);
    }
    assert!(matches!(seen(101, &deep), Content::Other), "not without end");
}

#[test]
fn extension_headers_are_passed() {
    let mut packet = made(CLIENT_6, SERVER_6, b"EHLO").packet();
    packet[6] = 0; // hop-by-hop, then destination options, then authentication, then TCP
    let headers = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..],
        &[51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    packet.splice(40..40, headers.iter().copied());
    let length = u16::from_be_bytes([packet[4], packet[5]]) + headers.len() as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    check(101, &packet, "three extension headers");
}

#[test]
fn what_was_cut_is_known_by_its_length() {
    let packet = made(CLIENT, SERVER, &[b'x'; 100]).packet();
    let cut = segment(frame(101, &packet[..60], packet.len() as u32));
    assert_eq!((cut.octets.len(), cut.length), (20, 100));
    let bare = segment(frame(101, &packet[..36], packet.len() as u32));
    assert_eq!((bare.octets.len(), bare.length), (0, 100), "cut within the TCP header");
    for length in 0..36 {
        let content = frame(101, &packet[..length], packet.len() as u32);
        assert!(matches!(content, Content::Malformed), "{length}");
    }
}

#[test]
fn a_packet_whose_length_the_network_card_fills_in() {
    for (client, server, place) in [(CLIENT, SERVER, 2), (CLIENT_6, SERVER_6, 4)] {
        let mut packet = made(client, server, b"EHLO").packet();
        packet[place..place + 2].fill(0);
        check(101, &packet, "length 0");
    }
}

#[test]
fn options_of_a_segment() {
    let mut made = made(CLIENT, SERVER, b"");
    made.flags = SYN | ACK;
    made.options = vec![2, 4, 5, 0xb4, 1, 3, 3, 7, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 0, 2];
    let packet = made.packet();
    let options = segment(seen(101, &packet)).options;
    assert_eq!((options.mss, options.window_scale), (Some(1_460), Some(7)));
    assert_eq!(options.selective[..2], [(1, 9), (0, 0)]);
    made.options = vec![2, 0, 2, 1, 3]; // lengths that can't be
    assert_eq!(segment(seen(101, &made.packet())).options.mss, None);
}

fn report(content: Content<'_>) -> Report {
    match content {
        Content::Report(report) => report,
        other => panic!("{other:?} is no report"),
    }
}

#[test]
fn icmp_errors_name_the_segment() {
    let about = made(CLIENT, SERVER, &[0; 1_400]).packet();
    let router = IpAddr::from(Ipv4Addr::new(203, 0, 113, 1));
    for (kind, code, text, mtu) in [
        (3, 4, "fragmentation needed", Some(1_400)),
        (3, 1, "host unreachable", None),
        (3, 13, "communication administratively prohibited", None),
        (11, 0, "time to live exceeded", None),
    ] {
        let packet = build::unreachable(router, kind, code, 1_400, &about);
        let report = report(seen(101, &packet));
        assert_eq!((report.text, report.mtu), (text, mtu));
        assert_eq!((report.source.1, report.destination.1, report.sequence), (40_000, 25, 7));
        assert_eq!(address(report.reporter), router);
    }
    let about = made(CLIENT_6, SERVER_6, &[0; 1_400]).packet();
    let packet = build::unreachable("2001:db8::ff".parse().unwrap(), 2, 0, 1_280, &about);
    let report = report(seen(101, &packet));
    assert_eq!((report.text, report.mtu), ("packet too big", Some(1_280)));
    let ping = build::unreachable(router, 8, 0, 0, &made(CLIENT, SERVER, b"").packet());
    assert!(matches!(seen(101, &ping), Content::Other), "an echo is no error");
}

/// The segment's octets once all fragments came, in that order.
fn joined(parts: &[Vec<u8>], fragments: &mut Fragments, at: i64) -> Option<Vec<u8>> {
    let mut found = None;
    for part in parts {
        let Content::Fragment(packet) = seen(101, part) else { panic!("no fragment") };
        if let Some(joined) = fragments.add(&packet, packet.fragment.unwrap(), at) {
            let segment = segment(whole(joined.packet(&packet), 0));
            found = Some(segment.octets.to_vec());
        }
    }
    found
}

#[test]
fn fragments_in_any_order_make_the_packet() {
    let text: Vec<u8> = (0..=255).cycle().take(2_000).collect();
    for (client, server) in [(CLIENT, SERVER), (CLIENT_6, SERVER_6)] {
        let mut parts = build::fragments(&made(client, server, &text).packet(), 256, 77);
        for turn in 0..parts.len() {
            parts.rotate_left(1);
            let mut fragments = Fragments::new(10_000);
            assert_eq!(joined(&parts, &mut fragments, 0), Some(text.clone()), "{turn}");
            // Once more with each part twice.
            let twice: Vec<Vec<u8>> =
                parts.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
            assert_eq!(joined(&twice[..twice.len() - 1], &mut fragments, 0), Some(text.clone()));
        }
    }
}

#[test]
fn fragments_without_the_rest_are_given_up() {
    let parts = build::fragments(&made(CLIENT, SERVER, &[1; 2_000]).packet(), 256, 1);
    let others = build::fragments(&made(CLIENT, SERVER, &[1; 2_000]).packet(), 256, 2);
    let mut fragments = Fragments::new(100_000);
    assert_eq!(joined(&parts[1..], &mut fragments, 0), None);
    assert_eq!(fragments.take_lost(), 0);
    assert_eq!(joined(&others[1..], &mut fragments, 31_000_000_000), None);
    assert_eq!(fragments.take_lost(), 1, "by time");
    assert_eq!(joined(&parts[..1], &mut fragments, 31_000_000_000), None);
    fragments.finish();
    assert_eq!(fragments.take_lost(), 2, "by the end");
    let mut small = Fragments::new(1_000);
    joined(&parts[1..], &mut small, 0);
    assert!(small.take_lost() > 0, "by memory");
}

#[test]
fn what_overlaps_in_fragments_does_not_replace() {
    let mut parts = build::fragments(&made(CLIENT, SERVER, &[1; 600]).packet(), 200, 1);
    let mut other = parts[1].clone();
    other[20..].fill(9);
    parts.insert(2, other);
    assert_eq!(joined(&parts, &mut Fragments::new(10_000), 0), Some(vec![1; 600]));
}

#[test]
fn unknown_links_and_other_traffic() {
    assert!(matches!(seen(147, &[0; 60]), Content::UnknownLink));
    assert!(matches!(seen(1, &[&[2; 12][..], &[8, 6], &[0; 28]].concat()), Content::Other), "ARP");
    assert!(matches!(seen(101, &around(17, &[0; 8])), Content::Other), "UDP");
    assert!(matches!(seen(1, &[0; 9]), Content::Malformed));
}

proptest::proptest! {
    #[test]
    fn no_octets_harm(link in 0_u16..300, octets: Vec<u8>, more in 0_u32..2_000) {
        let _ = frame(link, &octets, octets.len() as u32 + more);
        let _ = frame(1, &[&[2; 12][..], &[8, 0, 0x45, 0], &octets].concat(), 2_000);
    }
}
