//! A private authority and what it signs, for all cases.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

pub(super) struct LabCertificates {
    /// The certificate of the authority, as PEM.
    pub(super) authority: String,
    /// A valid certificate for localhost.
    pub(super) good: CertifiedKey,
    /// For localhost, out of date.
    pub(super) expired: CertifiedKey,
    /// A certificate for a different name.
    pub(super) other: CertifiedKey,
}

/// Paths of a certificate, its key, and both in one file.
#[derive(Clone)]
pub(super) struct CertifiedKey {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) both: PathBuf,
}

impl LabCertificates {
    pub(super) fn make(folder: &Path) -> anyhow::Result<LabCertificates> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "authority of the lab");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        let sign = |file: &str, name: &str, until: i32| -> anyhow::Result<CertifiedKey> {
            let mut params = CertificateParams::new(vec![name.to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
            let key = KeyPair::generate()?;
            let cert = params.signed_by(&key, &issuer)?.pem();
            let path = |end: &str| folder.join(format!("{file}{end}"));
            let pair = CertifiedKey { cert: path(".pem"), key: path(".key"), both: path("-both.pem") };
            std::fs::write(&pair.cert, &cert)?;
            std::fs::write(&pair.key, key.serialize_pem())?;
            std::fs::write(&pair.both, cert + &key.serialize_pem())?;
            Ok(pair)
        };
        Ok(LabCertificates {
            good: sign("good", "localhost", 2999)?,
            expired: sign("expired", "localhost", 2021)?,
            other: sign("other", "example.org", 2999)?,
            authority,
        })
    }
}
