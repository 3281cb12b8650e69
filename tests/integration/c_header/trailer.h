// ---- Macros and helpers ----

// Makes a static visible outside the library, whatever -fvisibility says.
#if defined(_WIN32)
#define TS_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define TS_EXPORT __attribute__((visibility("default")))
#else
#define TS_EXPORT
#endif

#if defined(__cplusplus)
#define TS_EXTERN_C extern "C"
#else
#define TS_EXTERN_C extern
#endif

// The sizes of the frozen structs, for the field `sizes` of an entry.
#define TS_SIZES                                                                                                       \
  {                                                                                                                    \
@SIZES@
  }

// Exports a library, once, at the top of a file: `TS_PLUGIN_ENTRY(my_library_table);`
#define TS_PLUGIN_ENTRY(library_table) TS_PLUGIN_ENTRY_MIN_HOST(library_table, 0, 0, 0)

// The same for a library that needs functions of a later host: the oldest version of the interface that will do.
#define TS_PLUGIN_ENTRY_MIN_HOST(library_table, major, minor, patch)                                                   \
  TS_EXTERN_C TS_EXPORT const ts_plugin_entry tetherscope_plugin_entry;                                                \
  const ts_plugin_entry tetherscope_plugin_entry = {                                                                   \
      TS_MAGIC,   TS_ABI_MAJOR,             TS_ABI_MINOR, (uint32_t)sizeof(ts_plugin_entry),                           \
      TS_N_SIZES, {major, minor, patch, 0}, TS_SIZES,     &(library_table)}

// True when a table of the host (`ts_host`, `ts_camera_sink`) is new enough to have the function, and has it.
#define TS_HAS(table, function)                                                                                        \
  ((size_t)((const char *)(&(table)->function + 1) - (const char *)(table)) <= (table)->struct_size &&                 \
   (table)->function)

// Sends bytes to a writer. Anything but TS_STATUS_OK: stop, the host takes no more.
static inline ts_status ts_write(ts_writer to, const void *bytes, size_t len) {
  return to.write ? to.write(to.ctx, (const uint8_t *)bytes, len) : TS_STATUS_OK;
}

// Sends zero-terminated text to a writer.
static inline ts_status ts_write_text(ts_writer to, const char *text) { return ts_write(to, text, strlen(text)); }

// Says why a function failed and gives its status: `return ts_fail(error, TS_STATUS_IO, "the camera is silent");`
static inline ts_status ts_fail(ts_writer error, ts_status status, const char *why) {
  (void)ts_write_text(error, why);
  return status;
}

// The parameter with this key; NULL only if the schema has no such key.
static inline const ts_param *ts_find_param(ts_params params, const char *key) {
  const size_t len = strlen(key);
  for (uint64_t i = 0; i < params.len; i++) {
    if (params.ptr[i].key.len == len && memcmp(params.ptr[i].key.ptr, key, len) == 0) {
      return &params.ptr[i];
    }
  }
  return NULL;
}
