//! What the peer's manager and workers of video processing consist of, member by member, and the test that shows our
//! counterpart. Where the ability lies elsewhere in the house, the line says where.

/// Member of the peer, and the test here that covers what it is for; `elsewhere:` names another part of the house.
const MEMBERS: [(&str, &str); 77] = [
    // Module.
    ("ValueTypeUI8", "the_snapshot_counts_workers_and_who_of_them_works"),
    ("logger", "elsewhere: one tracing event per problem, written to a file by the program"),
    ("_LOOKUP_Z_PROFILE_WARNING", "a_tracker_that_the_zlut_does_not_fit_unloads_it_and_says_so_once"),
    ("_DEFAULT_TRACKING_OPTIONS", "a_tracker_without_parameters_has_its_defaults_and_shows_them"),
    // Manager: attributes.
    ("VideoProcessorManager", "frames_of_a_simulated_camera_become_rows_in_the_snapshot"),
    ("_tasks", "rows_come_in_order_with_the_same_bits_however_many_threads_track"),
    ("_n_workers", "the_snapshot_counts_workers_and_who_of_them_works"),
    ("_workers", "rows_come_in_order_with_the_same_bits_however_many_threads_track"),
    ("_gpu_lock", "rows_come_in_order_with_the_same_bits_however_many_threads_track"),
    ("_profile_length_queue", "the_length_of_a_profile_is_told_by_a_new_frame"),
    ("_pending_profile_length_request", "a_question_can_be_withdrawn_and_others_stay"),
    ("_warning_queue", "a_warning_stays_until_somebody_has_read_it"),
    ("_zlut_capture_complete_queue", "elsewhere: sweeps"),
    ("_zlut_capture_earliest_timestamp", "elsewhere: sweeps"),
    ("_zlut_capture_motor_z_value", "elsewhere: sweeps"),
    ("_zlut_capture_remaining_profiles_per_bead", "elsewhere: sweeps"),
    ("_zlut_capture_step_index", "elsewhere: sweeps"),
    ("_zlut_frozen_bead_ids", "elsewhere: sweeps"),
    ("_zlut_frozen_bead_rois", "elsewhere: sweeps"),
    ("_zlut_profile_length_queue", "elsewhere: sweeps"),
    ("_pending_zlut_profile_length_request", "elsewhere: sweeps"),
    ("_lookup_z_warning_reported", "a_tracker_that_the_zlut_does_not_fit_unloads_it_and_says_so_once"),
    ("_waiting_for_acquisition", "what_was_sent_before_a_ping_is_done_when_it_is_answered"),
    ("_save_profiles", "everything_that_is_needed_to_understand_a_recording_is_in_it"),
    ("_zlut_path", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_zlut_metadata", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_zlut", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_tracking_options", "the_tracker_changes_at_the_frame_that_is_named"),
    // Manager: methods.
    ("set_settings", "the_settings_of_a_camera_are_changed_and_read_back"),
    ("update_tracking_options", "the_tracker_changes_at_the_frame_that_is_named"),
    ("setup", "frames_of_a_simulated_camera_become_rows_in_the_snapshot"),
    ("do_main_loop", "what_was_sent_before_a_ping_is_done_when_it_is_answered"),
    ("_try_reserve_processing_stack", "a_ring_of_the_fewest_slots_loses_no_frame"),
    ("_release_reserved_processing_stack", "a_ring_of_the_fewest_slots_loses_no_frame"),
    ("_stack_coordination_lock", "started_and_stopped_again_and_again_no_thread_memory_or_file_is_left"),
    ("quit", "an_engine_that_ends_stops_its_camera_finishes_its_recording_and_answers_everybody"),
    ("load_zlut_file", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_load_default_zlut", "elsewhere: the rig names the Z-LUT that is loaded at the start"),
    ("unload_zlut", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_clear_zlut_state", "a_tracker_that_the_zlut_does_not_fit_unloads_it_and_says_so_once"),
    ("_set_zlut_from_path", "a_zlut_that_does_not_fit_is_refused_by_name_and_the_one_in_use_stays"),
    ("_extract_zlut_metadata", "a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded"),
    ("_to_processing_array", "elsewhere: strategies make tables of files, once"),
    ("_broadcast_zlut_metadata", "a_client_that_comes_late_knows_as_much_from_one_snapshot"),
    ("_notify_zlut_error", "a_zlut_that_does_not_fit_is_refused_by_name_and_the_one_in_use_stays"),
    ("report_profile_length", "the_length_of_a_profile_is_told_by_a_new_frame"),
    ("report_zlut_profile_length", "elsewhere: sweeps"),
    ("_process_profile_length_reports", "the_length_of_a_profile_is_told_by_a_new_frame"),
    ("_process_zlut_profile_length_reports", "elsewhere: sweeps"),
    ("clear_pending_zlut_profile_length_request", "a_question_can_be_withdrawn_and_others_stay"),
    ("arm_zlut_sweep_capture", "elsewhere: sweeps"),
    ("disarm_zlut_sweep_capture", "elsewhere: sweeps"),
    ("_process_zlut_capture_reports", "elsewhere: sweeps"),
    ("_add_task", "batches_of_one_frame_and_of_many_give_the_same_rows"),
    ("_set_zlut_frozen_rois", "elsewhere: sweeps"),
    ("_should_use_frozen_zlut_rois", "elsewhere: sweeps"),
    ("_process_worker_warnings", "a_warning_stays_until_somebody_has_read_it"),
    ("script_wait_until_acquisition_on", "without_processing_the_picture_lives_and_nothing_is_tracked"),
    ("_finish_waiting_when_ready", "what_was_sent_before_a_ping_is_done_when_it_is_answered"),
    // Worker.
    ("VideoWorker", "rows_come_in_order_with_the_same_bits_however_many_threads_track"),
    ("_locks", "a_client_that_never_looks_stalls_nobody"),
    ("_reserved_stacks", "a_ring_of_the_fewest_slots_loses_no_frame"),
    ("_completed_stacks", "frames_of_a_simulated_camera_become_rows_in_the_snapshot"),
    ("_busy_count", "the_snapshot_counts_workers_and_who_of_them_works"),
    ("_live_profile_enabled", "the_profile_of_a_bead_comes_from_a_frame_after_the_question"),
    ("_live_profile_bead", "the_profile_of_a_bead_comes_from_a_frame_after_the_question"),
    ("_video_buffer", "a_ring_beyond_the_memory_budget_is_refused_with_the_sum"),
    ("_tracks_buffer", "elsewhere: the history's own tests (`host/core/src/engine/history`)"),
    ("_task_owes_reserved_stack", "a_tracker_that_does_not_return_is_left_behind_and_the_engine_goes_on"),
    ("_zlut_sweep_dataset", "elsewhere: sweeps"),
    ("run", "a_tracker_that_panics_spoils_its_own_call_and_nothing_else"),
    ("_release_reserved_stack_if_pending", "a_tracker_that_panics_spoils_its_own_call_and_nothing_else"),
    ("_report_zlut_capture_task_failure", "elsewhere: sweeps"),
    ("_report_zlut_capture_task_retry", "elsewhere: sweeps"),
    ("process", "each_data_mode_writes_what_it_says"),
    ("_notify_lookup_profile_warning", "a_tracker_that_the_zlut_does_not_fit_unloads_it_and_says_so_once"),
    ("_release_stack", "a_write_error_is_told_at_once_and_tracking_goes_on"),
];

#[test]
fn each_member_of_the_peer_has_a_test_that_exists() {
    let folder = crate::harness::repository().join("tests/integration/live");
    let sources: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for (member, test) in MEMBERS {
        let here = test.starts_with("elsewhere: ") || sources.contains(&format!("fn {test}()"));
        assert!(here, "{member}: there is no test {test}");
    }
    let mut names: Vec<&str> = MEMBERS.iter().map(|m| m.0).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), MEMBERS.len(), "each stands once");
}
