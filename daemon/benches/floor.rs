//! The floor that the daemon is measured against: bare actix-web on bare tokio-postgres, nothing else.
//!
//! `floor LISTEN [POSTGRES-URL]` serves `POST /memory` (parse and answer JSON), `POST /item` (one INSERT) and
//! `GET /item/{id}` (one SELECT by key).

use actix_web::{App, HttpResponse, HttpServer, web};
use deadpool_postgres::{Config, Pool, PoolConfig, Runtime};
use tokio_postgres::NoTls;

#[derive(serde::Deserialize, serde::Serialize)]
struct Item {
    owner: String,
}

async fn memory(item: web::Json<Item>) -> HttpResponse {
    HttpResponse::Created().json(&*item)
}

async fn insert(pool: web::Data<Pool>, item: web::Json<Item>) -> actix_web::Result<HttpResponse> {
    let client = pool.get().await.map_err(actix_web::error::ErrorServiceUnavailable)?;
    let statement = client
        .prepare_cached("insert into item (owner) values ($1) returning id")
        .await
        .map_err(actix_web::error::ErrorServiceUnavailable)?;
    let row = client
        .query_one(&statement, &[&item.owner])
        .await
        .map_err(actix_web::error::ErrorServiceUnavailable)?;
    let id: i64 = row.get(0);
    Ok(HttpResponse::Created().json(serde_json::json!({"id": id, "owner": item.owner})))
}

async fn select(pool: web::Data<Pool>, id: web::Path<i64>) -> actix_web::Result<HttpResponse> {
    let client = pool.get().await.map_err(actix_web::error::ErrorServiceUnavailable)?;
    let statement = client
        .prepare_cached("select id, owner, created from item where id = $1")
        .await
        .map_err(actix_web::error::ErrorServiceUnavailable)?;
    let row =
        client.query_opt(&statement, &[&*id]).await.map_err(actix_web::error::ErrorServiceUnavailable)?;
    Ok(row.map_or_else(
        || HttpResponse::NotFound().finish(),
        |row| {
            let (id, owner): (i64, String) = (row.get(0), row.get(1));
            let created: chrono::DateTime<chrono::Utc> = row.get(2);
            HttpResponse::Ok().json(serde_json::json!({"id": id, "owner": owner, "created": created}))
        },
    ))
}

#[actix_web::main]
#[expect(clippy::disallowed_methods, reason = "the floor lays out its own table, outside any transaction")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().ok_or("usage: floor LISTEN [POSTGRES-URL]")?;
    let pool = match arguments.next() {
        Some(url) => {
            let config = Config { url: Some(url), pool: Some(PoolConfig::new(16)), ..Config::default() };
            let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
            let client = pool.get().await?;
            client
                .batch_execute(
                    "create table if not exists item (id bigserial primary key, owner text not null, \
                     created timestamptz not null default now()); \
                     insert into item (owner) select 'owner ' || g from generate_series(1, 1000) g",
                )
                .await?;
            Some(web::Data::new(pool))
        }
        None => None,
    };
    HttpServer::new(move || {
        let app = App::new().route("/memory", web::post().to(memory));
        match &pool {
            Some(pool) => app
                .app_data(pool.clone())
                .route("/item", web::post().to(insert))
                .route("/item/{id}", web::get().to(select)),
            None => app,
        }
    })
    .workers(2)
    .bind(listen)?
    .run()
    .await?;
    Ok(())
}
