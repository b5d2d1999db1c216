//! Capture files: pcap and pcapng, of some link layers.

use super::Timed;

/// A link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// BSD loopback (0).
    Loopback,
    /// Ethernet (1).
    Ethernet,
    /// Bare IP packets (101).
    Raw,
    /// Linux cooked, version 1 (113).
    LinuxCooked,
    /// Linux cooked, version 2 (276).
    LinuxCooked2,
}

/// A capture file that is being written.
#[derive(Clone, Debug)]
pub struct File {
    octets: Vec<u8>,
    link: Link,
    form: Form,
    /// Most octets kept of a packet.
    length_max: usize,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Pcap { is_big: bool, unit: i64 },
    Pcapng { is_big: bool },
}

impl Link {
    /// Its `LINKTYPE_` number.
    pub fn number(self) -> u16 {
        match self {
            Self::Loopback => 0,
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
        }
    }

    /// The frame around an IP packet.
    pub fn frame(self, packet: &[u8]) -> Vec<u8> {
        let is_version_4 = packet.first().is_some_and(|first| first >> 4 == 4);
        let kind: [u8; 2] = if is_version_4 { [8, 0] } else { [0x86, 0xdd] };
        let mut frame = match self {
            Self::Raw => Vec::new(),
            Self::Loopback => vec![if is_version_4 { 2 } else { 30 }, 0, 0, 0],
            Self::Ethernet => [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind[..]].concat(),
            Self::LinuxCooked => {
                [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &kind[..]].concat()
            }
            Self::LinuxCooked2 => {
                [&kind[..], &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..]].concat()
            }
        };
        frame.extend(packet);
        frame
    }
}

impl File {
    /// A pcap file of this machine's usual kind: little-endian, microseconds.
    pub fn pcap(link: Link) -> Self {
        Self::pcap_with(link, false, false)
    }

    /// A pcap file.
    pub fn pcap_with(link: Link, is_big: bool, has_nanoseconds: bool) -> Self {
        let unit = if has_nanoseconds { 1 } else { 1_000 };
        let mut file = Self {
            octets: Vec::new(),
            link,
            form: Form::Pcap { is_big, unit },
            length_max: 262_144,
        };
        file.put_u32(if has_nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
        file.put_u16(2);
        file.put_u16(4);
        file.octets.extend([0; 8]);
        file.put_u32(262_144);
        file.put_u32(u32::from(link.number()));
        file
    }

    /// A pcapng file with one interface that counts nanoseconds.
    pub fn pcapng(link: Link, is_big: bool) -> Self {
        let form = Form::Pcapng { is_big };
        let mut file = Self { octets: Vec::new(), link, form, length_max: 262_144 };
        file.section();
        file
    }

    /// Begins another section (pcapng only), with the same interface.
    pub fn section(&mut self) {
        self.block(0x0a0d_0d0a, |file| {
            file.put_u32(0x1a2b_3c4d);
            file.put_u16(1);
            file.put_u16(0);
            file.octets.extend([0xff; 8]);
        });
        self.block(1, |file| {
            file.put_u16(file.link.number());
            file.put_u16(0);
            file.put_u32(file.length_max as u32);
            file.put_u16(9);
            file.put_u16(1);
            file.octets.extend([9, 0, 0, 0]);
            file.put_u32(0);
        });
    }

    /// Packets from here on are cut to this length, as `tcpdump -s` does.
    pub fn cut_to(&mut self, length_max: usize) -> &mut Self {
        self.length_max = length_max;
        self
    }

    /// An IP packet, seen at that time (nanoseconds since 1970).
    pub fn packet(&mut self, at: i64, packet: &[u8]) {
        let frame = self.link.frame(packet);
        self.frame(at, &frame);
    }

    /// A frame as it is.
    pub fn frame(&mut self, at: i64, frame: &[u8]) {
        let captured = &frame[..frame.len().min(self.length_max)];
        match self.form {
            Form::Pcap { unit, .. } => {
                self.put_u32((at / 1_000_000_000) as u32);
                self.put_u32((at % 1_000_000_000 / unit) as u32);
                self.put_u32(captured.len() as u32);
                self.put_u32(frame.len() as u32);
                self.octets.extend(captured);
            }
            Form::Pcapng { .. } => self.block(6, |file| {
                file.put_u32(0);
                file.put_u32((at as u64 >> 32) as u32);
                file.put_u32(at as u32);
                file.put_u32(captured.len() as u32);
                file.put_u32(frame.len() as u32);
                file.octets.extend(captured);
            }),
        }
    }

    /// All segments of a conversation.
    pub fn segments(&mut self, segments: &[Timed]) -> &mut Self {
        for one in segments {
            self.packet(one.at, &one.segment.packet());
        }
        self
    }

    /// A block with lines of a TLS key log (pcapng only).
    pub fn secrets(&mut self, key_log: &[u8]) {
        self.block(10, |file| {
            file.put_u32(0x544c_534b);
            file.put_u32(key_log.len() as u32);
            file.octets.extend(key_log);
        });
    }

    /// A block of any type (pcapng only); `body` writes what is in it.
    pub fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.put_u32(kind);
        self.put_u32(0);
        body(self);
        while !(self.octets.len() - start).is_multiple_of(4) {
            self.octets.push(0);
        }
        let length = (self.octets.len() - start + 4) as u32;
        self.put_u32(length);
        let ending = self.octets.len() - 4;
        let (before, after) = self.octets.split_at_mut(ending);
        before[start + 4..start + 8].copy_from_slice(after);
    }

    /// Two octets in the file's byte order.
    pub fn put_u16(&mut self, number: u16) {
        self.octets.extend(if self.is_big() { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    /// Four octets in the file's byte order.
    pub fn put_u32(&mut self, number: u32) {
        self.octets.extend(if self.is_big() { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn is_big(&self) -> bool {
        let (Form::Pcap { is_big, .. } | Form::Pcapng { is_big }) = self.form;
        is_big
    }

    /// Takes off what was written so far; a big capture is written in pieces.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.octets)
    }

    /// The file.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}
