//! TLS to a real server: who has to prove what, and what is told where it cannot.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sl_store::{
    Code, OsChance,
    postgres::{Options, Postgres, migrate},
    testing::postgres::{Admin, Server},
};

/// An authority, and a server whose certificate it has signed for this name.
fn server(name: &str) -> (String, Server) {
    let mut of_authority = CertificateParams::new(Vec::new()).expect("no names");
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(of_authority, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    (authority.pem(), Server::encrypted(&certificate.pem(), &key.serialize_pem()))
}

fn written(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("authorities.pem");
    std::fs::write(&file, text).expect("the file can be written");
    file
}

fn options(server: &Server, authorities: Option<PathBuf>) -> Options {
    Options { authorities, ..Options::new(server.dsn("postgres")) }
}

#[tokio::test]
async fn every_connection_is_encrypted_to_whom_the_authority_vouches_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (authority, server) = server("127.0.0.1");
    let options = options(&server, Some(written(folder.path(), &authority)));
    migrate(&options).await.expect("the migrations can be applied");
    let postgres = Postgres::connect(&options, &OsChance).await.expect("the server has proved who it is");
    let admin = Admin::connect(&server.socket_dsn("postgres")).await;
    // Connections for reads and the listener's.
    let counts = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl \
                  JOIN pg_stat_activity USING (pid) WHERE application_name = 'service-layer'";
    let mut found = (0, 0);
    for _ in 0..200 {
        let row = admin.query(counts, &[]).await.remove(0);
        found = (row.get::<_, i64>(0), row.get::<_, i64>(1));
        if found.0 >= 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(found.0 >= 2 && found.1 == 0, "encrypted and plain: {found:?}");
    drop(postgres);
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (authority, of_another_name) = server("db.example");
    let (_, of_another_authority) = server("127.0.0.1");
    let file = written(folder.path(), &authority);
    for server in [&of_another_name, &of_another_authority] {
        let refused =
            migrate(&options(server, Some(file.clone()))).await.expect_err("it is not who we asked for");
        assert_eq!(refused.code, Code::Unavailable, "{refused}");
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    // The system's authorities do not know it either.
    let required = Options::new(format!("{} sslmode=require", of_another_authority.dsn("postgres")));
    let refused = migrate(&required).await.expect_err("nobody vouches for it");
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let server = Server::start();
    let required = Options::new(format!("{} sslmode=require", server.dsn("postgres")));
    let refused = migrate(&required).await.expect_err("it has no TLS");
    assert_eq!(refused.code, Code::Unavailable, "{refused}");
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = Options::new("host=127.0.0.1 port=1 user=postgres dbname=nothing");
    for (file, why) in [
        (folder.path().join("none.pem"), "No such file"),
        (written(folder.path(), "-----BEGIN"), "no certificate"),
    ] {
        let refused =
            migrate(&Options { authorities: Some(file), ..nowhere.clone() }).await.expect_err("refused");
        assert_eq!(refused.code, Code::Invalid, "{refused}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
