//! TLS to the database. Where the connection string says `sslmode=require`, or a file of authorities is named, the server
//! has to prove that it is the host that was named; otherwise nothing is encrypted, and that is told.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Options;
use crate::{Code, Fault};

/// How the driver is to encrypt, by what the connection string and the file of authorities say.
pub const fn mode(given: SslMode, has_authorities: bool) -> SslMode {
    match (given, has_authorities) {
        (SslMode::Disable, _) | (SslMode::Prefer, false) => SslMode::Disable,
        _ => SslMode::Require,
    }
}

/// What opens encrypted connections; it trusts nobody where none is to be opened.
///
/// # Errors
/// [`Code::Invalid`] where the authorities cannot be read.
pub fn connector(options: &Options, config: &Config) -> Result<MakeRustlsConnect, Fault> {
    let mut trusted = RootCertStore::empty();
    if config.get_ssl_mode() == SslMode::Require {
        trusted = authorities(options)?;
    } else if let Some(host) = config.get_hosts().iter().find_map(far) {
        tracing::warn!(host, "The connection to the database is not encrypted; sslmode=require encrypts it");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = builder.with_safe_default_protocol_versions().map_err(Fault::internal)?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(trusted).with_no_client_auth()))
}

/// The authorities of the file, or else those of the system.
fn authorities(options: &Options) -> Result<RootCertStore, Fault> {
    let mut trusted = RootCertStore::empty();
    let Some(file) = &options.authorities else {
        let found = rustls_native_certs::load_native_certs();
        trusted.add_parsable_certificates(found.certs);
        return Ok(trusted);
    };
    let refused = |why: String| {
        let what = format!("the database's certificate authorities cannot be read from {}", file.display());
        Fault::new(Code::Invalid, what).because(why)
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        trusted.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if trusted.is_empty() {
        return Err(refused("it holds no certificate in PEM form".to_owned()));
    }
    Ok(trusted)
}

/// A host that is not this machine.
fn far(host: &Host) -> Option<&str> {
    let Host::Tcp(name) = host else { return None };
    let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    (!here).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_asked_for_by_the_connection_string_or_by_authorities() {
        let of = |dsn: &str, has_authorities| {
            let config: Config = dsn.parse().unwrap_or_else(|error| panic!("{dsn}: {error}"));
            mode(config.get_ssl_mode(), has_authorities)
        };
        assert_eq!(of("postgres://u@h/d", false), SslMode::Disable);
        assert_eq!(of("postgres://u@h/d", true), SslMode::Require);
        assert_eq!(of("postgres://u@h/d?sslmode=require", false), SslMode::Require);
        assert_eq!(of("postgres://u@h/d?sslmode=disable", true), SslMode::Disable);
    }

    #[test]
    fn what_is_here_needs_no_encryption() {
        let far_of = |name: &str| far(&Host::Tcp(name.to_owned())).is_some();
        assert!(!far_of("localhost") && !far_of("127.0.0.1") && !far_of("::1"));
        assert!(far_of("db.example") && far_of("10.0.0.7"));
        assert!(far(&Host::Unix("/run/postgresql".into())).is_none());
    }
}
