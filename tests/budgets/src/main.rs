use chartseal_budgets::{story, vault::{disputed}};
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rows = story::measured().await;
    for row in &rows { println!("{} | {} | {:?}", row.name, row.situation, row.figures); }
    for line in disputed(&rows) { println!("DISPUTED {line}"); }
}
