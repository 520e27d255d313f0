//! The contract of the ports: the same tests on the twins in memory and on the real adapters against the emulator; and on the real adapters
//! against others' implementations of DynamoDB and KMS (`opinions`).
//!
//! The emulator is the shared stack's (`CHARTSEAL_STACK_FILE`), or what `CHARTSEAL_STACK` and `AWS_ENDPOINT_URL` say (docs/TESTING.md): a real account,
//! too. What is asked for and absent fails the tests; nothing is ever skipped. Every test has tables, a bucket and keys of its own.

mod blobs;
mod blocks;
mod cosigned;
mod emulated;
mod ground;
mod index;
mod keys;
mod lagging;
mod log;
mod lossy;
mod made;
mod model;
mod opinions;
mod parts;
mod removed;
mod sealed;
mod streams;
mod subject;
mod work;
mod workflow;

/// Runs each test on the twins in memory, on the twins that can fail and here fail nothing, and on the emulator; those of DynamoDB and of KMS' symmetric
/// keys also on the second opinions; those of DynamoDB and of workflows also where reads are behind that may be.
macro_rules! contract {
    ({ dynamodb { $($dynamodb:tt)+ } kms { $($kms:tt)+ } bucket { $($bucket:tt)+ } others { $($others:tt)+ } }) => {
        contract! { @ memory, crate::subject::Memory::new(); $($dynamodb)+ $($kms)+ $($bucket)+ $($others)+ }
        contract! { @ failing, crate::subject::Memory::failing(); $($dynamodb)+ $($kms)+ $($bucket)+ $($others)+ }
        contract! { @ behind, crate::lagging::Lagging::new(); $($dynamodb)+ $($others)+ }
        contract! { @ emulator, crate::emulated::Emulated::new().await; $($dynamodb)+ $($kms)+ $($bucket)+ $($others)+ }
        contract! { @ second_opinion, crate::opinions::Opinion::second().await; $($dynamodb)+ $($kms)+ }
    };
    (@ $name:ident, $subject:expr; $($module:ident: $($test:ident),+;)+) => {
        mod $name {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    crate::$module::$test(&$subject).await;
                })+
            })+
        }
    };
}

contract! {
    {
        dynamodb {
            streams:
                a_race_has_one_winner, a_race_of_transactions_leaves_nothing_of_the_losers, our_own_write_is_recognised,
                all_or_nothing, keys_are_never_overwritten, a_long_stream_is_loaded_whole_and_in_order,
                the_tail_begins_where_it_was_asked_to, a_stream_goes_on_from_a_place, events_are_fetched_in_the_order_asked_for, sweeps_find_events_by_time,
                private_values_and_keys_stand_beside_their_event;
            index:
                a_list_is_paged_newest_first, a_cursor_that_is_not_ours_gives_the_first_page,
                adding_and_removing_again_changes_nothing;
            work:
                a_limit_holds_under_concurrency, what_is_due_comes_oldest_first, a_newer_task_token_replaces_the_older,
                the_sweep_never_goes_back;
            blocks: blocks_are_read_as_they_were_put, a_race_for_a_height_has_one_winner;
            sealed:
                leaves_are_found_by_the_hundreds, the_newest_two_states_of_a_page_are_kept, a_late_writer_takes_no_page_back,
                sealers_that_write_at_once_agree, what_is_sealed_stays_sealed;
            cosigned: what_witnesses_say_never_goes_back, the_cosigned_head_never_goes_back;
        }
        kms {
            keys: a_data_key_opens_under_its_own_context_alone, the_first_search_key_is_kept;
        }
        bucket {
            blobs:
                only_the_announced_bytes_are_taken_and_only_once, a_presigned_call_ends, a_pinned_version_stays_what_it_was,
                deleting_a_version_leaves_nothing;
            parts:
                a_part_takes_its_own_bytes_and_no_others, a_parts_address_ends, parts_are_listed_by_number,
                a_body_is_put_together_of_its_parts_once, an_object_that_is_there_stays_what_it_was, one_part_is_not_one_put,
                parts_that_are_not_there_make_no_object, an_upload_is_of_one_key, aborting_ends_every_upload_of_exactly_this_key,
                uploads_of_exactly_this_key_are_counted_as_far_as_asked, one_abort_takes_so_many_uploads_and_says_that_there_are_more;
        }
        others {
            log:
                the_log_key_is_an_ed25519_key, the_log_signs_with_its_key, a_full_tile_never_changes,
                a_race_for_a_tile_has_one_outcome, a_checkpoint_takes_the_place_of_the_one_that_was_seen,
                a_race_for_the_checkpoint_has_one_winner;
            workflow: a_request_has_one_workflow, a_workflow_is_told_once;
        }
    }
}
