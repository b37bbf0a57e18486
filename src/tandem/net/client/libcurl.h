// tandem/net/client/libcurl.h - the functions of libcurl that this part calls, from a library opened with the first request.
//
// Room: net. Calls inside tandem::client reach these.
#pragma once

#include <curl/curl.h>

#include "tandem/base/late_library.h"

// Macros of the same names count arguments, and nothing else.
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

namespace tandem::client {

inline constinit LateLibrary libcurl("libcurl.so.4", "curl_version_info", "libcurl4");

TANDEM_LATE_FUNCTION(libcurl, curl_easy_cleanup);
TANDEM_LATE_FUNCTION(libcurl, curl_easy_getinfo);
TANDEM_LATE_FUNCTION(libcurl, curl_easy_init);
TANDEM_LATE_FUNCTION(libcurl, curl_easy_setopt);
TANDEM_LATE_FUNCTION(libcurl, curl_easy_strerror);
TANDEM_LATE_FUNCTION(libcurl, curl_free);
TANDEM_LATE_FUNCTION(libcurl, curl_global_cleanup);
TANDEM_LATE_FUNCTION(libcurl, curl_global_init);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_add_handle);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_cleanup);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_info_read);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_init);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_perform);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_poll);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_remove_handle);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_setopt);
TANDEM_LATE_FUNCTION(libcurl, curl_multi_wakeup);
TANDEM_LATE_FUNCTION(libcurl, curl_slist_append);
TANDEM_LATE_FUNCTION(libcurl, curl_slist_free_all);
TANDEM_LATE_FUNCTION(libcurl, curl_url);
TANDEM_LATE_FUNCTION(libcurl, curl_url_cleanup);
TANDEM_LATE_FUNCTION(libcurl, curl_url_get);
TANDEM_LATE_FUNCTION(libcurl, curl_url_set);
TANDEM_LATE_FUNCTION(libcurl, curl_url_strerror);
TANDEM_LATE_FUNCTION(libcurl, curl_version_info);

}  // namespace tandem::client
