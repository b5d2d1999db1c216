//! The three messages (MS-NLMP section 2.2.1), little-endian: a head of fixed fields that point to what
//! stands behind it.

use super::response::utf16;

const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// What the sides agree on (section 2.2.2.5).
pub(crate) mod flags {
    /// Text is UTF-16.
    pub(crate) const UNICODE: u32 = 0x0000_0001;
    /// The challenge shall name the server.
    pub(crate) const REQUEST_TARGET: u32 = 0x0000_0004;
    /// NTLM, and not LAN Manager.
    pub(crate) const NTLM: u32 = 0x0000_0200;
    /// A dummy signature at least: every client says so.
    pub(crate) const ALWAYS_SIGN: u32 = 0x0000_8000;
    /// The target is a server, not a domain.
    pub(crate) const TARGET_SERVER: u32 = 0x0002_0000;
    /// Version 2's session security.
    pub(crate) const EXTENDED_SECURITY: u32 = 0x0008_0000;
    /// There is a list of pairs about the target.
    pub(crate) const TARGET_INFO: u32 = 0x0080_0000;
    /// The session key is another one, that comes encrypted.
    pub(crate) const KEY_EXCHANGE: u32 = 0x4000_0000;
}

/// The pairs' ids (section 2.2.2.1).
pub(crate) mod pair {
    pub(crate) const END: u16 = 0;
    /// NetBIOS name of the server.
    pub(crate) const COMPUTER: u16 = 1;
    /// NetBIOS name of its domain.
    pub(crate) const DOMAIN: u16 = 2;
    /// DNS name of the server.
    pub(crate) const DNS_COMPUTER: u16 = 3;
    /// DNS name of its domain.
    pub(crate) const DNS_DOMAIN: u16 = 4;
    /// 2: there is a check of integrity in the last message.
    pub(crate) const FLAGS: u16 = 6;
    /// When the challenge was made, in units of 100 ns since 1601.
    pub(crate) const TIMESTAMP: u16 = 7;
    /// The service that the client means.
    pub(crate) const TARGET_NAME: u16 = 9;
    /// The hash of the channel's binding; zeros for none.
    pub(crate) const CHANNEL_BINDINGS: u16 = 10;
}

/// The client's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiate {
    pub(crate) flags: u32,
}

/// The server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) flags: u32,
    pub(crate) target: String,
    pub(crate) nonce: [u8; 8],
    /// The pairs, as they are hashed.
    pub(crate) info: Vec<u8>,
}

/// The client's last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Authenticate {
    pub(crate) flags: u32,
    pub(crate) lm: Vec<u8>,
    pub(crate) nt: Vec<u8>,
    pub(crate) domain: String,
    pub(crate) user: String,
    pub(crate) workstation: String,
    /// The check of integrity over all three messages, where there is room for it.
    pub(crate) integrity: Option<[u8; 16]>,
}

/// Where the check of integrity stands in the last message.
pub(crate) const INTEGRITY_AT: usize = 72;
const HEAD_LENGTH: usize = INTEGRITY_AT + 16;

impl Negotiate {
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let message = Message::of(octets, 1)?;
        Some(Self { flags: message.u32(12)? })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut octets = head(1);
        octets.extend(self.flags.to_le_bytes());
        // No domain and no workstation: nobody looks at them here.
        octets.extend([0; 16]);
        octets
    }
}

impl Challenge {
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let message = Message::of(octets, 2)?;
        let flags = message.u32(20)?;
        let info = match flags & flags::TARGET_INFO {
            0 => Vec::new(),
            _ => message.field(40)?.to_vec(),
        };
        Some(Self {
            flags,
            target: text(message.field(12)?, flags),
            nonce: octets.get(24..32)?.try_into().ok()?,
            info,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        const HEAD: usize = 56;
        let target = utf16(&self.target);
        let mut octets = head(2);
        octets.extend(pointer(target.len(), HEAD));
        octets.extend(self.flags.to_le_bytes());
        octets.extend(self.nonce);
        octets.extend([0; 8]);
        octets.extend(pointer(self.info.len(), HEAD + target.len()));
        // The version's place (section 2.2.2.10): for debugging, and empty.
        octets.extend([0; 8]);
        octets.extend(target);
        octets.extend(&self.info);
        octets
    }
}

impl Authenticate {
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let message = Message::of(octets, 3)?;
        let flags = message.u32(60)?;
        let (lm, nt) = (message.field(12)?.to_vec(), message.field(20)?.to_vec());
        let [domain, user, workstation] =
            [28, 36, 44].map(|at| message.field(at).map(|octets| text(octets, flags)));
        // Older clients have no room for it: then something else stands there.
        let first = [12, 20, 28, 36, 44, 52].iter().filter_map(|&at| message.start(at)).min();
        let integrity = octets.get(INTEGRITY_AT..HEAD_LENGTH).and_then(|it| it.try_into().ok());
        let integrity = integrity.filter(|_| first.is_none_or(|first| first >= HEAD_LENGTH));
        let (domain, user, workstation) = (domain?, user?, workstation?);
        Some(Self { flags, lm, nt, domain, user, workstation, integrity })
    }

    /// The message, with zeros where the check of integrity comes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let texts = [&self.domain, &self.user, &self.workstation].map(|text| utf16(text));
        let [domain, user, workstation] = &texts;
        let mut octets = head(3);
        let mut at = HEAD_LENGTH;
        for field in [&self.lm, &self.nt, domain, user, workstation, &Vec::new()] {
            octets.extend(pointer(field.len(), at));
            at += field.len();
        }
        octets.extend(self.flags.to_le_bytes());
        octets.extend([0; 8 + 16]);
        for field in [&self.lm, &self.nt, domain, user, workstation] {
            octets.extend(field);
        }
        octets
    }
}

/// A list of pairs, with its end.
pub(crate) fn target_info(pairs: &[(u16, &[u8])]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (id, value) in pairs.iter().copied().chain([(pair::END, &[][..])]) {
        octets.extend(id.to_le_bytes());
        octets.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        octets.extend(value);
    }
    octets
}

fn head(kind: u32) -> Vec<u8> {
    [SIGNATURE, &kind.to_le_bytes()].concat()
}

/// Length, room, offset.
fn pointer(length: usize, at: usize) -> [u8; 8] {
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
    let [a, b, c, d] = u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[0], length[1], a, b, c, d]
}

/// Text in UTF-16, or in whatever the client's machine is set to, of which only ASCII is certain.
fn text(octets: &[u8], flags: u32) -> String {
    if flags & flags::UNICODE == 0 {
        return octets.iter().copied().map(char::from).collect();
    }
    let units = octets.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// A message of the kind that is expected.
struct Message<'o>(&'o [u8]);

impl<'o> Message<'o> {
    fn of(octets: &'o [u8], kind: u32) -> Option<Self> {
        let message = Self(octets.strip_prefix(SIGNATURE).map(|_| octets)?);
        (message.u32(8)? == kind).then_some(message)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }

    /// What the pointer at `at` points to.
    fn field(&self, at: usize) -> Option<&'o [u8]> {
        let length = usize::from(u16::from_le_bytes(self.0.get(at..at + 2)?.try_into().ok()?));
        if length == 0 {
            return Some(&[]);
        }
        let start = usize::try_from(self.u32(at + 4)?).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }

    /// Where that begins; none if there is nothing.
    fn start(&self, at: usize) -> Option<usize> {
        let field = self.field(at).filter(|field| !field.is_empty());
        field.and_then(|_| usize::try_from(self.u32(at + 4)?).ok())
    }
}
