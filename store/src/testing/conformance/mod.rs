//! Everything the [`Backend`](crate::Backend) trait promises, as cases that run over any backend.
//!
//! [`conformance_suite!`](crate::conformance_suite) makes one test of each case. A backend comes in as a [`Subject`]:
//! a fresh, empty store, and the clock its leases go by.

pub mod events;
pub mod guards;
pub mod queries;
pub mod queue;
pub mod races;
pub mod rows;
mod subject;
mod thing;

pub use subject::{Subject, round_trip};
pub use thing::{Part, Thing};

/// One test per case of the suite; `$make` is an async function that answers a fresh
/// [`Subject`](crate::testing::conformance::Subject).
#[macro_export]
macro_rules! conformance_suite {
    ($make:path) => {
        $crate::conformance_suite! { @cases $make;
            rows: a_row_comes_back_as_it_went,
            rows: absent_present_version_and_any_mean_what_they_say,
            rows: a_failed_batch_leaves_nothing,
            rows: a_row_belongs_to_its_account,
            rows: unique_sets_hold_within_an_account,
            rows: unique_values_move_within_one_batch,
            rows: a_batch_does_things_in_order,
            rows: nul_characters_in_text_are_refused_and_in_json_kept,
            rows: what_is_not_a_row_of_the_table_is_refused,
            rows: times_are_kept_to_the_microsecond,
            rows: numbers_in_json_come_back_to_the_last_bit,
            queries: pages_follow_ids_both_ways,
            queries: filters_mean_what_they_say,
            queries: counting_agrees_with_listing,
            queries: pages_over_all_accounts,
            queries: sweeps_take_the_oldest_that_match,
            queries: any_filter_agrees_with_a_plain_scan,
            guards: at_most_counts_after_the_batch,
            guards: holds_needs_the_version,
            queue: an_item_goes_through_its_life,
            queue: adding_twice_is_a_conflict,
            queue: only_what_is_due_is_claimed_best_first,
            queue: claims_rotate_over_accounts,
            queue: what_comes_due_is_claimed_like_what_was_due,
            queue: a_flood_delays_nobody,
            queue: a_flood_that_is_skipped_hides_nobody,
            queue: skipped_accounts_and_gates_stay,
            queue: an_initial_lease_is_a_claim,
            queue: a_lease_runs_out_and_the_zombie_is_refused,
            queue: a_late_worker_whom_nobody_replaced_may_settle,
            queue: heartbeats_prolong_what_is_held,
            queue: retry_and_release,
            queue: a_fence_goes_on_where_an_item_comes_back,
            queue: withdrawing_takes_items_from_whoever_holds_them,
            queue: a_lost_fence_undoes_its_batch,
            queue: next_due_looks_at_waiting_and_held,
            queue: the_queue_can_be_read,
            events: events_come_in_order_and_page_both_ways,
            events: events_can_be_filtered,
            events: forgetting_takes_the_oldest,
            events: a_failed_batch_says_nothing,
            events: hints_follow_commits,
            races: one_of_many_inserts_wins,
            races: one_of_many_replacements_wins,
            races: a_counter_raced_loses_nothing,
            races: at_most_holds_under_a_race,
            races: every_item_is_claimed_once,
            races: one_of_many_settlements_wins,
            races: a_name_raced_is_given_once,
            races: readers_of_the_log_miss_nothing,
            races: good_batches_survive_bad_neighbours,
            races: dropped_commits_happen_whole_or_not_at_all,
        }
    };
    (@cases $make:path; $($module:ident: $case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::testing::conformance::$module::$case(&$make().await).await;
        }
    )*};
}
