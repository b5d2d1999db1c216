//! File formats: whole captures, pieces and damage.

use proptest::prelude::*;

use super::{Item, Reader};
use crate::{
    build::{File, Link},
    problem::Trouble,
};

/// Everything a reader hands out, as text: time, link, length on the wire, octets.
fn read(file: &[u8], pieces: usize) -> Vec<String> {
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    let mut take = |item: Item<'_>| {
        all.push(match item {
            Item::Packet(one) => {
                format!("{} {} {} {}", one.at, one.link, one.length, one.octets.escape_ascii())
            }
            Item::Secrets(text) => format!("secrets {}", text.escape_ascii()),
            Item::Trouble(trouble) => format!("{trouble:?}"),
        });
    };
    for piece in file.chunks(pieces.max(1)) {
        reader.feed(piece, &mut take);
    }
    reader.finish(&mut take);
    all
}

/// A file of three packets: "one", "second", "3".
fn filled(mut file: File) -> Vec<u8> {
    for (at, text) in [(1_000_000_001_002_000, "one"), (1_000_000_002_000_000, "second")] {
        file.frame(at, text.as_bytes());
    }
    file.cut_to(1).frame(1_000_000_003_000_000, b"3rd");
    file.into_octets()
}

const THREE: [&str; 3] =
    ["1000000001002000 101 3 one", "1000000002000000 101 6 second", "1000000003000000 101 3 3"];

#[test]
fn every_form_of_file_gives_the_same_packets() {
    for (file, what) in [
        (File::pcap(Link::Raw), "pcap, little-endian, microseconds"),
        (File::pcap_with(Link::Raw, true, false), "pcap, big-endian"),
        (File::pcap_with(Link::Raw, false, true), "pcap, nanoseconds"),
        (File::pcap_with(Link::Raw, true, true), "pcap, big-endian, nanoseconds"),
        (File::pcapng(Link::Raw, false), "pcapng, little-endian"),
        (File::pcapng(Link::Raw, true), "pcapng, big-endian"),
    ] {
        let octets = filled(file);
        for pieces in [1, 2, 3, 7, 16, 17, 50, 10_000] {
            assert_eq!(read(&octets, pieces), THREE, "{what}, in pieces of {pieces}");
        }
    }
}

#[test]
fn modified_records_of_old_kernels_have_eight_octets_more() {
    let mut file = 0xa1b2_cd34_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
    file.extend([9, 9, 9, 9, 8, 0, 0, 0]);
    file.extend(b"hi");
    assert_eq!(read(&file, 5), ["1000005000 101 2 hi"]);
}

#[test]
fn a_second_section_may_have_another_byte_order_and_no_known_interfaces() {
    let mut octets = filled(File::pcapng(Link::Raw, false));
    octets.extend(filled(File::pcapng(Link::Raw, true)));
    assert_eq!(read(&octets, 11), [THREE, THREE].concat());
}

#[test]
fn files_joined_by_cat_are_read_on() {
    let mut octets = filled(File::pcap(Link::Raw));
    octets.extend(filled(File::pcap_with(Link::Raw, true, true)));
    assert_eq!(read(&octets, 11), [THREE, THREE].concat());
}

#[test]
fn simple_and_obsolete_packets_and_secrets_and_unknown_blocks() {
    let mut file = File::pcapng(Link::Ethernet, false);
    file.secrets(b"CLIENT_RANDOM 00 11\n");
    file.block(0x0bad, |file| file.put_u32(7));
    file.block(3, |file| {
        file.put_u32(5);
        file.put_u32(u32::from_le_bytes(*b"five"));
        file.put_u32(u32::from_le_bytes(*b"!   "));
    });
    file.block(2, |file| {
        file.put_u16(0);
        file.put_u16(0);
        for number in [0, 77, 4, 9, u32::from_le_bytes(*b"old ")] {
            file.put_u32(number);
        }
    });
    // Of an interface that was never described.
    file.block(6, |file| {
        for number in [3, 0, 1, 0, 0] {
            file.put_u32(number);
        }
    });
    let expected = ["secrets CLIENT_RANDOM 00 11\\n", "0 1 5 five!", "77 1 9 old ", "Malformed"];
    assert_eq!(read(&file.into_octets(), 9), expected);
}

#[test]
fn times_have_any_resolution_and_offset() {
    for (resolution, count, nanoseconds) in [
        (6_u8, 5_u64, 5_000),
        (0, 5, 5_000_000_000),
        (9, 5, 5),
        (12, 5_000, 5),
        (0x80 | 10, 1_024, 1_000_000_000), // 2^-10 s
        (0xff, u64::MAX, 1_999_999_999),
    ] {
        let mut file = File::pcapng(Link::Raw, false);
        file.block(1, |file| {
            file.put_u16(101);
            file.put_u16(0);
            file.put_u32(0);
            file.put_u16(9);
            file.put_u16(1);
            file.put_u32(u32::from(resolution));
            file.put_u16(14);
            file.put_u16(8);
            file.put_u32(100);
            file.put_u32(0);
        });
        file.block(6, |file| {
            for number in [1, (count >> 32) as u32, count as u32, 0, 0] {
                file.put_u32(number);
            }
        });
        let at = nanoseconds + 100_000_000_000_i64;
        assert_eq!(read(&file.into_octets(), 99), [format!("{at} 101 0 ")], "{resolution}");
    }
}

#[test]
fn what_ends_in_a_packet_says_so() {
    for file in [filled(File::pcap(Link::Raw)), filled(File::pcapng(Link::Raw, false))] {
        let cut = read(&file[..file.len() - 1], 4);
        assert_eq!(cut, [THREE[0], THREE[1], "CutOff"]);
    }
}

#[test]
fn garbage_is_skipped_to_where_packets_follow_again() {
    for (file, is_new) in [(File::pcap(Link::Raw), false), (File::pcapng(Link::Raw, false), true)] {
        let mut file = file;
        file.frame(1_000_000_000_000, b"the first one");
        let mut octets = file.take();
        octets.extend([0xfe; 1_001]);
        for number in 1..4 {
            file.frame(1_000_000_000_000 + number, b"fourteen octets");
        }
        octets.extend(file.take());
        for pieces in [1, 13, 500, 100_000] {
            let all = read(&octets, pieces);
            assert_eq!(all.len(), 5, "{is_new} {pieces} {all:?}");
            assert_eq!(all[1], format!("{:?}", Trouble::Garbage { octets: 1_001 }));
            assert!(all[4].ends_with("fourteen octets"));
        }
    }
}

/// Found by fuzzing: rounded up, such a copy is more than a number of its size holds.
#[test]
fn a_block_whose_second_length_is_the_largest_number_is_garbage() {
    let mut octets = filled(File::pcapng(Link::Raw, false));
    let block = [6_u32, 16, 0, u32::MAX].map(u32::to_le_bytes).concat();
    octets.extend(&block);
    let garbage = format!("{:?}", Trouble::Garbage { octets: block.len() as u64 });
    assert_eq!(read(&octets, 7), [THREE[0], THREE[1], THREE[2], &garbage]);
}

#[test]
fn what_is_no_capture_is_named() {
    for (octets, trouble) in [
        (&b"\x1f\x8b\x08\0and what gzip wrote after it"[..], Trouble::OtherFormat("gzip")),
        (b"Jan  1 00:00:00 mx postfix/smtpd[1]: connect", Trouble::NoCapture),
        (b"", Trouble::NoCapture),
        (b"\xd4\xc3\xb2\xa1", Trouble::NoCapture),
    ] {
        assert_eq!(read(octets, 3), [format!("{trouble:?}")]);
    }
    assert!(crate::is_capture(b"\xd4\xc3\xb2\xa1") && crate::is_capture(b"\n\r\r\n"));
    assert!(!crate::is_capture(b"220 ") && !crate::is_capture(b""));
}

proptest! {
    #[test]
    fn any_octets_give_the_same_in_any_pieces(
        is_new: bool,
        junk in prop::collection::vec(any::<u8>(), 0..300),
        cut in 0_usize..120,
        pieces in 1_usize..40,
    ) {
        let file = if is_new { File::pcapng(Link::Raw, true) } else { File::pcap(Link::Raw) };
        let mut octets = filled(file);
        let cut = octets.len() - cut.min(octets.len());
        octets.splice(cut.., junk);
        octets.extend(filled(File::pcap(Link::Raw)));
        prop_assert_eq!(read(&octets, pieces), read(&octets, usize::MAX));
    }
}
