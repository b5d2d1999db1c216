//! As much of BER (ITU-T X.690) as LDAP needs: definite lengths, small tags (RFC 4511 section 5.1).

/// A tag with its content.
pub fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(content.len() + 6);
    octets.push(tag);
    match content.len() {
        length @ 0..=0x7f => octets.push(length as u8),
        length => {
            let length = length.to_be_bytes();
            let zeros = length.iter().take_while(|octet| **octet == 0).count();
            octets.push(0x80 | (length.len() - zeros) as u8);
            octets.extend_from_slice(&length[zeros..]);
        }
    }
    octets.extend_from_slice(content);
    octets
}

pub fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(tag, &parts.concat())
}

pub fn octets(content: &[u8]) -> Vec<u8> {
    tagged(0x04, content)
}

/// INTEGER 0x02 or ENUMERATED 0x0a, not negative.
pub fn number(tag: u8, number: u32) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(3);
    let mut content = octets[zeros..].to_vec();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    tagged(tag, &content)
}

/// What is left of something that was received.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

/// Each tag with its content, up to the end or to what is no BER.
impl<'a> Iterator for Reader<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = *self.0.first()?;
        let (head, length) = length(&self.0[1..])??;
        let content = self.0.get(1 + head..)?.get(..length)?;
        self.0 = &self.0[1 + head + length..];
        Some((tag, content))
    }
}

impl<'a> Reader<'a> {
    /// The content, if it has that tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    pub fn number(&mut self, tag: u8) -> Option<u32> {
        let content = self.expect(tag)?;
        let is_small = content.len() <= 4 || (content.len() == 5 && content[0] == 0);
        if content.is_empty() || !is_small || content[0] & 0x80 != 0 {
            return None;
        }
        Some(content.iter().fold(0, |number: u32, octet| number << 8 | u32::from(*octet)))
    }

    pub fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.expect(0x04)?).into_owned())
    }
}

/// Octets of the length itself, and the length. The outer `None` is no BER, the inner one is not all there.
pub fn length(octets: &[u8]) -> Option<Option<(usize, usize)>> {
    let Some(first) = octets.first() else { return Some(None) };
    match first {
        0..=0x7f => Some(Some((1, usize::from(*first)))),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let Some(octets) = octets.get(1..=count) else { return Some(None) };
            let length = octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            Some(Some((1 + count, length)))
        }
        // 0x80 is the indefinite form, which LDAP forbids.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers() {
        assert_eq!(tagged(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(tagged(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tagged(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        for value in [0, 1, 127, 128, 255, 256, 65_535, u32::MAX] {
            let octets = number(2, value);
            assert_eq!(Reader(&octets).number(2), Some(value), "{octets:?}");
        }
        assert_eq!(Reader(&[2, 1, 0xff]).number(2), None, "negative");
        assert_eq!(length(&[0x80]), None);
        assert_eq!(length(&[0x82, 1]), Some(None));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets: Vec<u8>) {
            let mut reader = Reader(&octets);
            while reader.next().is_some() {}
        }
    }
}
