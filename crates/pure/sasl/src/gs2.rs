//! GS2's header (RFC 5801 section 4), which SCRAM and OAUTHBEARER begin with: how the client means to bind
//! the login to its channel, and as whom it wants to act.

use crate::Binding;

/// `p=tls-exporter,a=anna,`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flag: Flag,
    pub(crate) authorization: Option<String>,
}

/// What the client says of channel binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// `n`: it can't.
    CanNot,
    /// `y`: it could, and believes that the server can't.
    Could,
    /// `p=`: it does; none if we don't know that way.
    Does(Option<Binding>),
}

impl Header {
    /// The header, and what stands behind it.
    pub(crate) fn split_from(text: &str) -> Option<(Self, &str)> {
        let (flag, rest) = text.split_once(',')?;
        let (authorization, rest) = rest.split_once(',')?;
        let flag = match flag.split_once('=') {
            None if flag == "n" => Flag::CanNot,
            None if flag == "y" => Flag::Could,
            Some(("p", name)) if !name.is_empty() => Flag::Does(Binding::by_name(name)),
            _ => return None,
        };
        let authorization = match authorization.split_once('=') {
            None if authorization.is_empty() => None,
            Some(("a", name)) => Some(decode(name)?),
            _ => return None,
        };
        Some((Self { flag, authorization }, rest))
    }

    /// As it goes over the wire.
    pub(crate) fn text(&self) -> String {
        let flag = match &self.flag {
            Flag::CanNot => "n".to_owned(),
            Flag::Could => "y".to_owned(),
            Flag::Does(binding) => format!("p={}", binding.map_or("", Binding::name)),
        };
        let authorization = self
            .authorization
            .as_deref()
            .map_or_else(String::new, |it| format!("a={}", encode(it)));
        format!("{flag},{authorization},")
    }
}

/// A name in which commas and equals signs mean nothing else (saslname).
pub(crate) fn encode(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name again. `None` where a `=` is left that stands for nothing, and for no name.
pub(crate) fn decode(text: &str) -> Option<String> {
    let name = text.replace("=2C", ",").replace("=3D", "\u{0}");
    let valid = !text.is_empty() && !text.contains('\0') && !name.contains('=');
    valid.then(|| name.replace('\u{0}', "="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let rows = [
            ("n,,rest,of", Some((Flag::CanNot, None, "rest,of"))),
            ("y,a=an=2Cna=3D,", Some((Flag::Could, Some("an,na="), ""))),
            ("p=tls-exporter,,x", Some((Flag::Does(Some(Binding::Exporter)), None, "x"))),
            ("p=other,,", Some((Flag::Does(None), None, ""))),
            ("p=,,", None),
            ("p,,", None),
            ("F,n,,", None), // RFC 5801's non-standard flag: for mechanisms that are none of ours
            ("n,a=,", None),
            ("n,a=x=41,", None),
            ("n,anna,", None),
            ("n,", None),
        ];
        for (text, expected) in rows {
            let read = Header::split_from(text);
            let expected = expected.map(|(flag, name, rest)| {
                (Header { flag, authorization: name.map(str::to_owned) }, rest)
            });
            assert_eq!(read, expected, "{text}");
            if let Some((header, rest)) = read
                && !text.contains("other")
            {
                assert_eq!(format!("{}{rest}", header.text()), text);
            }
        }
    }
}
