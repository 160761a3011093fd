//! HTTPS: certificates that are trusted, and those that are not.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

use crate::program::{Program, TOKEN};

/// A server for this name that answers every request alike; gives its address and its certificate in PEM.
fn server(name: &str) -> (SocketAddr, String) {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new([name.to_owned()]).expect("a name");
    let made = CertifiedKey { cert: parameters.self_signed(&key).expect("a certificate"), signing_key: key };
    let secret = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], secret)
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { continue };
            answer(StreamOwned::new(connection, stream));
        }
    });
    (addr, made.cert.pem())
}

/// A client that does not trust us ends the handshake: then there is nobody to answer.
fn answer<S: std::io::Read + Write>(stream: S) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let body = r#"{"version": "1"}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let _ = write!(reader.get_mut(), "{head}content-length: {}\r\n\r\n{body}", body.len());
}

fn program(addr: SocketAddr) -> Program {
    let addr = format!("https://127.0.0.1:{}", addr.port());
    Program::alone().with("SERVICE_LAYER_ADDR", &addr).with("SERVICE_LAYER_TOKEN", TOKEN)
}

#[test]
fn a_certificate_that_was_named_is_trusted() {
    let (addr, certificate) = server("127.0.0.1");
    let program = program(addr);
    let file = program.file("ca.pem", &certificate);
    assert_eq!(program.out(&["system", "version", "--ca-file", &file]), "version  1\n");
    assert_eq!(program.with("SERVICE_LAYER_CA_FILE", &file).out(&["system", "version"]), "version  1\n");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (addr, _) = server("127.0.0.1");
    let (_, other) = server("127.0.0.1");
    let program = program(addr);
    let file = program.file("ca.pem", &other);
    let told = program.fails(9, &["system", "version", "--ca-file", &file, "--attempts", "1"]);
    assert!(told.contains("certificate"), "{told}");
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let (addr, certificate) = server("other.example");
    let program = program(addr);
    let file = program.file("ca.pem", &certificate);
    let told = program.fails(9, &["system", "version", "--ca-file", &file, "--attempts", "1"]);
    assert!(told.contains("certificate"), "{told}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let (addr, _) = server("127.0.0.1");
    let program = program(addr);
    let file = program.file("ca.pem", "nothing\n");
    assert!(program.fails(2, &["system", "version", "--ca-file", &file]).contains("holds no certificate"));
}
