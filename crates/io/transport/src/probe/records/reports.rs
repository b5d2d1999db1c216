//! TLS-RPT (RFC 8460 section 3) and BIMI.

use diagnose::Weight;
use world::World;

use super::{Record, tags, texts};

/// Where TLS reports go.
pub(super) async fn tls_rpt(world: &World, domain: &str) -> Record {
    let mut record = Record::new("TLS-RPT", format!("_smtp._tls.{domain}"));
    record.texts = texts(world, &mut record, "v=TLSRPTv1").await;
    let absent = "`v=TLSRPTv1; rua=mailto:...` brings reports of senders whose TLS failed";
    let Some(text) = record.only((Weight::Remark, absent)) else { return record };
    let tags = match tags::read(&text) {
        Ok(tags) => tags,
        Err(why) => {
            record.tell(Weight::Fault, why, "mend the record (RFC 8460 section 3)");
            return record;
        }
    };
    let Some(addresses) = tags::value(&tags, "rua").filter(|rua| !rua.is_empty()) else {
        record.tell(Weight::Fault, "there is no `rua`", "add `rua=mailto:...`");
        return record;
    };
    for address in addresses.split(',').map(str::trim) {
        if !address.starts_with("mailto:") && !address.starts_with("https://") {
            let what = format!("`rua` has `{address}`, which is neither `mailto:` nor `https:`");
            record.tell(Weight::Fault, what, "write the scheme before it");
        }
    }
    record
}

/// The logo; shown by receivers only where DMARC is enforced.
pub(super) async fn bimi(world: &World, domain: &str, enforced: bool) -> Record {
    let mut record = Record::new("BIMI", format!("default._bimi.{domain}"));
    record.texts = texts(world, &mut record, "v=BIMI1").await;
    if record.texts.is_empty() && record.notices.is_empty() {
        "none; nobody needs one".clone_into(&mut record.remark);
        return record;
    }
    let Some(text) = record.only((Weight::Remark, "")) else { return record };
    match tags::read(&text) {
        Err(why) => record.tell(Weight::Fault, why, "mend the record"),
        Ok(tags) => {
            for name in ["l", "a"] {
                let is_bad = |value: &&str| !value.is_empty() && !value.starts_with("https://");
                if let Some(value) = tags::value(&tags, name).filter(is_bad) {
                    let what = format!("`{name}={value}` is no https address");
                    record.tell(Weight::Fault, what, "serve it over HTTPS");
                }
            }
            if tags::value(&tags, "l").is_none() {
                record.tell(Weight::Fault, "there is no `l`: no logo", "add `l=https://...svg`");
            }
        }
    }
    if !enforced {
        let what = "without DMARC `quarantine` or `reject` for all mail, nobody shows the logo";
        record.tell(Weight::Remark, what, "enforce DMARC first");
    }
    record
}
