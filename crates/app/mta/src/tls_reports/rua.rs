//! The TXT record by which a domain asks for reports (RFC 8460 section 3). Pure.

use smtp::Address;

/// More addresses than that get no report.
const RECIPIENTS_MAX: usize = 5;

/// The `mailto:` addresses of the one `v=TLSRPTv1` record; none if there is no such record, or more than
/// one.
pub(super) fn mail_addresses(texts: &[String]) -> Vec<Address> {
    let is_ours = |text: &&String| {
        text.split(';').next().is_some_and(|version| version.trim() == "v=TLSRPTv1")
    };
    let mut ours = texts.iter().filter(is_ours);
    let (Some(record), None) = (ours.next(), ours.next()) else { return Vec::new() };
    let field = record
        .split(';')
        .skip(1)
        .find_map(|field| field.trim().split_once('=').filter(|(name, _)| name.trim() == "rua"));
    let uris = field.map_or("", |(_, uris)| uris).split(',');
    uris.filter_map(|uri| {
        let uri = uri.trim();
        let address = uri.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        let address = address.map(|_| &uri[7..])?;
        // Header fields may follow (RFC 6068); `,` and `!` come as %2C and %21.
        let address = address.split('?').next()?.replace("%2C", ",").replace("%21", "!");
        address.parse().ok().filter(|address: &Address| !address.domain().is_empty())
    })
    .take(RECIPIENTS_MAX)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let rows: [(&[&str], &[&str]); 7] = [
            (&["v=TLSRPTv1; rua=mailto:tls@b.test"], &["tls@b.test"]),
            (
                &["v=TLSRPTv1;rua=mailto:a@b.test,https://b.test/r , MAILTO:c@d.test?x=y;"],
                &["a@b.test", "c@d.test"],
            ),
            (&["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.test"], &["a@b.test"]),
            (&["v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:c@b.test"], &[]),
            (&["v=TLSRPTv2; rua=mailto:a@b.test"], &[]),
            (&["v=TLSRPTv1; rua=mailto:nobody"], &[]),
            (&[], &[]),
        ];
        for (texts, expected) in rows {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let found: Vec<_> = mail_addresses(&texts).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{texts:?}");
        }
    }
}
