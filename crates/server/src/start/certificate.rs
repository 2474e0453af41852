//! The certificate that media connections know this node by, the same in all its runs: one that goes on with connections of
//! the run before must be who their clients talked to.
//! Invariant: what is in the file was written whole.

use std::io;
use std::path::Path;

use salon_sfu::Certificate;

/// Reads the certificate of this node, or makes one and keeps it. None if none can be made, which media then says.
///
/// # Errors
/// The file cannot be read or written.
pub fn lasting(file: &Path) -> io::Result<Option<Certificate>> {
    match std::fs::read_to_string(file) {
        Ok(text) => match read(&text) {
            Some(known) => return Ok(Some(known)),
            None => tracing::warn!(file = %file.display(), "the certificate for media cannot be understood; making a new one"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let Some(fresh) = Certificate::fresh() else { return Ok(None) };
    let beside = file.with_extension("new");
    std::fs::write(&beside, format!("{}\n{}\n", hex::encode(&fresh.certificate), hex::encode(&fresh.private_key)))?;
    std::fs::rename(&beside, file)?;
    Ok(Some(fresh))
}

/// Two lines of hexadecimal digits: the certificate and its key.
fn read(text: &str) -> Option<Certificate> {
    let (certificate, private_key) = text.strip_suffix('\n')?.split_once('\n')?;
    let bytes = |digits: &str| hex::decode(digits).ok().filter(|bytes| !bytes.is_empty());
    Some(Certificate { certificate: bytes(certificate)?, private_key: bytes(private_key)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_certificate_and_makes_another_only_for_one_that_is_spoilt() {
        let file = std::env::temp_dir().join(format!("salon-certificate-{}", std::process::id()));
        let lasting = || lasting(&file).expect("kept").expect("one can be made").certificate;
        let first = lasting();
        assert_eq!(lasting(), first);
        let text = std::fs::read_to_string(&file).expect("written");
        for spoilt in ["", "00\n", "zz\n00\n", &text[..text.len() - 2]] {
            std::fs::write(&file, spoilt).expect("written");
            assert_ne!(lasting(), first, "{spoilt:?}");
        }
        std::fs::remove_file(file).expect("removed");
    }
}
