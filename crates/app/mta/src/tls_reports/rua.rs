//! The TXT record by which a domain asks for reports (RFC 8460 section 3). Pure.

use smtp::Address;
use transport::http::Url;

/// More places than that of a kind get no report.
const PLACES_MAX: usize = 5;

/// Where reports are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// By mail.
    pub(super) mail: Vec<Address>,
    /// By `https:`.
    pub(super) web: Vec<Url>,
}

/// What the one `v=TLSRPTv1` record names; nothing if there is no such record, or more than one.
pub(super) fn places(texts: &[String]) -> Places {
    let is_ours = |text: &&String| {
        text.split(';').next().is_some_and(|version| version.trim() == "v=TLSRPTv1")
    };
    let mut ours = texts.iter().filter(is_ours);
    let (Some(record), None) = (ours.next(), ours.next()) else { return Places::default() };
    let field = record
        .split(';')
        .skip(1)
        .find_map(|field| field.trim().split_once('=').filter(|(name, _)| name.trim() == "rua"));
    let uris = field.map_or("", |(_, uris)| uris).split(',').map(str::trim);
    Places {
        mail: uris.clone().filter_map(mail_address).take(PLACES_MAX).collect(),
        web: uris.filter_map(web_page).take(PLACES_MAX).collect(),
    }
}

fn mail_address(uri: &str) -> Option<Address> {
    let address = after(uri, "mailto:")?;
    // Header fields may follow (RFC 6068); `,` and `!` come as %2C and %21.
    let address = address.split('?').next()?.replace("%2C", ",").replace("%21", "!");
    address.parse().ok().filter(|address: &Address| !address.domain().is_empty())
}

fn web_page(uri: &str) -> Option<Url> {
    let rest = after(uri, "https://")?.replace("%2C", ",").replace("%21", "!");
    format!("https://{rest}").parse().ok()
}

fn after<'a>(uri: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = uri.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let rows: [(&[&str], &[&str]); 8] = [
            (
                &["v=TLSRPTv1; rua=HTTPS://b.test:8443/a%2Cb?c,mailto:a@b.test,http://b.test/"],
                &["a@b.test", "https://b.test:8443/a,b?c"],
            ),
            (&["v=TLSRPTv1; rua=mailto:tls@b.test"], &["tls@b.test"]),
            (
                &["v=TLSRPTv1;rua=mailto:a@b.test,https://b.test/r , MAILTO:c@d.test?x=y;"],
                &["a@b.test", "c@d.test", "https://b.test/r"],
            ),
            (&["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.test"], &["a@b.test"]),
            (&["v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:c@b.test"], &[]),
            (&["v=TLSRPTv2; rua=mailto:a@b.test"], &[]),
            (&["v=TLSRPTv1; rua=mailto:nobody"], &[]),
            (&[], &[]),
        ];
        for (texts, expected) in rows {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let Places { mail, web } = places(&texts);
            let mail = mail.iter().map(ToString::to_string);
            let found: Vec<_> = mail.chain(web.iter().map(ToString::to_string)).collect();
            assert_eq!(found, expected, "{texts:?}");
        }
    }
}
