//! One database for one test.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sha2::{Digest as _, Sha256};

use super::{Admin, program, shared};
use crate::{
    OsChance, Store, Table,
    postgres::{self, Options, Postgres},
};

/// A migrated database that goes when this is dropped.
#[derive(Debug)]
pub struct Database {
    maintenance: String,
    name: String,
}

impl Database {
    /// A fresh one, copied from a template that is made once for each state of the migrations.
    pub async fn fresh() -> Self {
        let maintenance = shared::dsn();
        let admin = Admin::connect(&maintenance).await;
        let template = template(&admin, &maintenance).await;
        Self::make(&admin, maintenance, &format!("TEMPLATE {template}")).await
    }

    /// A fresh one without anything in it, for tests of the migrations themselves.
    pub async fn empty() -> Self {
        let maintenance = shared::dsn();
        let admin = Admin::connect(&maintenance).await;
        Self::make(&admin, maintenance, "TEMPLATE template0").await
    }

    /// The connection string.
    #[must_use]
    pub fn dsn(&self) -> String {
        with_database(&self.maintenance, &self.name)
    }

    /// The usual bounds, for this database.
    #[must_use]
    pub fn options(&self) -> Options {
        Options { connections: 6, ..Options::new(self.dsn()) }
    }

    /// A backend on it.
    pub async fn backend(&self) -> Postgres {
        Postgres::connect(&self.options(), &OsChance).await.expect("the database answers")
    }

    /// A store on it.
    pub async fn store(&self) -> Store {
        Store::new(self.backend().await)
    }

    /// A session on it for what a test does besides the backend.
    pub async fn admin(&self) -> Admin {
        Admin::connect(&self.dsn()).await
    }

    /// Makes tables that no migration makes.
    pub async fn create(&self, tables: &[&'static Table]) {
        let admin = self.admin().await;
        for table in tables {
            admin.run(&super::create_table(table)).await;
        }
    }

    async fn make(admin: &Admin, maintenance: String, from: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sl_test_{}_{number}", process::id());
        admin.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        admin.run(&format!("CREATE DATABASE {name} {from}")).await;
        Self { maintenance, name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (maintenance, name) = (self.maintenance.clone(), self.name.clone());
        // Dropping may happen inside a runtime, which cannot block on another future: a thread can.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let admin = Admin::connect(&maintenance).await;
                admin.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
        });
        let dropped = dropping.join().is_ok() || thread::panicking();
        assert!(dropped, "the database {} could not be dropped", self.name);
    }
}

/// The name of the migrated template; made under a lock by whoever comes first.
async fn template(admin: &Admin, maintenance: &str) -> String {
    let mut digest = Sha256::new();
    for (name, text) in postgres::migrations() {
        digest.update(name);
        digest.update(text);
    }
    let name = format!("sl_template_{}", &hex::encode(digest.finalize())[..16]);
    if exists(admin, &name).await {
        return name;
    }
    let lock = tokio::task::spawn_blocking(|| shared::lock("template")).await.expect("the lock is taken");
    if !exists(admin, &name).await {
        sweep(admin).await;
        let draft = format!("{name}_draft");
        admin.run(&format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        admin.run(&format!("CREATE DATABASE {draft} TEMPLATE template0")).await;
        let options = Options::new(with_database(maintenance, &draft));
        postgres::migrate(&options).await.expect("the migrations can be applied");
        admin.run(&format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    drop(lock);
    name
}

/// Drops what test processes left that did not end well, and templates of other states of the migrations.
async fn sweep(admin: &Admin) {
    let rows = admin.query("SELECT datname FROM pg_database WHERE datname LIKE 'sl\\_te%'", &[]).await;
    for row in rows {
        let name: String = row.get(0);
        let owner = name.strip_prefix("sl_test_").and_then(|rest| rest.split('_').next()?.parse().ok());
        if owner.is_some_and(|process| !program::is_alive(process)) {
            admin.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn exists(admin: &Admin, name: &str) -> bool {
    !admin.query("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.is_empty()
}

/// The same server, another database.
fn with_database(dsn: &str, name: &str) -> String {
    let is_url = dsn.starts_with("postgres://") || dsn.starts_with("postgresql://");
    if !is_url {
        // In the keyword form, the last word of a kind counts.
        return format!("{dsn} dbname={name}");
    }
    let (base, query) = dsn.split_once('?').map_or((dsn, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |scheme| scheme + 3);
    let end = base[authority..].find('/').map_or(base.len(), |slash| authority + slash);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}
