// tandem/store/postgres/libpq.h - the functions of libpq that this part calls, from a library opened when the first store of its kind is.
//
// Room: store. Calls inside tandem::postgres reach these. Source: PostgreSQL 15 documentation, chapter 34 "libpq".
#pragma once

#include <libpq-fe.h>

#include "tandem/base/late_library.h"

namespace tandem::postgres {

inline constinit LateLibrary libpq("libpq.so.5", "PQpipelineStatus", "libpq5");  // of version 14 or newer

TANDEM_LATE_FUNCTION(libpq, PQbackendPID);
TANDEM_LATE_FUNCTION(libpq, PQclear);
TANDEM_LATE_FUNCTION(libpq, PQcmdTuples);
TANDEM_LATE_FUNCTION(libpq, PQconndefaults);
TANDEM_LATE_FUNCTION(libpq, PQconnectdbParams);
TANDEM_LATE_FUNCTION(libpq, PQconninfoFree);
TANDEM_LATE_FUNCTION(libpq, PQconninfoParse);
TANDEM_LATE_FUNCTION(libpq, PQconsumeInput);
TANDEM_LATE_FUNCTION(libpq, PQenterPipelineMode);
TANDEM_LATE_FUNCTION(libpq, PQerrorMessage);
TANDEM_LATE_FUNCTION(libpq, PQexitPipelineMode);
TANDEM_LATE_FUNCTION(libpq, PQfinish);
TANDEM_LATE_FUNCTION(libpq, PQflush);
TANDEM_LATE_FUNCTION(libpq, PQfreemem);
TANDEM_LATE_FUNCTION(libpq, PQgetResult);
TANDEM_LATE_FUNCTION(libpq, PQgetisnull);
TANDEM_LATE_FUNCTION(libpq, PQgetlength);
TANDEM_LATE_FUNCTION(libpq, PQgetvalue);
TANDEM_LATE_FUNCTION(libpq, PQisBusy);
TANDEM_LATE_FUNCTION(libpq, PQnotifies);
TANDEM_LATE_FUNCTION(libpq, PQntuples);
TANDEM_LATE_FUNCTION(libpq, PQpipelineStatus);
TANDEM_LATE_FUNCTION(libpq, PQpipelineSync);
TANDEM_LATE_FUNCTION(libpq, PQresultErrorField);
TANDEM_LATE_FUNCTION(libpq, PQresultErrorMessage);
TANDEM_LATE_FUNCTION(libpq, PQresultMemorySize);
TANDEM_LATE_FUNCTION(libpq, PQresultStatus);
TANDEM_LATE_FUNCTION(libpq, PQsendFlushRequest);
TANDEM_LATE_FUNCTION(libpq, PQsendPrepare);
TANDEM_LATE_FUNCTION(libpq, PQsendQuery);
TANDEM_LATE_FUNCTION(libpq, PQsendQueryPrepared);
TANDEM_LATE_FUNCTION(libpq, PQserverVersion);
TANDEM_LATE_FUNCTION(libpq, PQsetNoticeProcessor);
TANDEM_LATE_FUNCTION(libpq, PQsetnonblocking);
TANDEM_LATE_FUNCTION(libpq, PQsocket);
TANDEM_LATE_FUNCTION(libpq, PQstatus);
TANDEM_LATE_FUNCTION(libpq, PQtransactionStatus);

}  // namespace tandem::postgres
