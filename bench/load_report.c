#include "load_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned bucket_of(uint64_t nanos)
{
	unsigned log, shift;

	if (nanos < HISTOGRAM_STEPS)
		return (unsigned)nanos;
	log = 63U - (unsigned)__builtin_clzll(nanos);
	shift = log - 5;
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((nanos >> shift) - HISTOGRAM_STEPS);
}

/* The middle of a bucket. */
static uint64_t bucket_value(unsigned bucket)
{
	unsigned shift;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	shift = bucket / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift) +
	       ((UINT64_C(1) << shift) >> 1);
}

void load_report_latency(struct load_report *r, uint64_t nanos)
{
	r->histogram[bucket_of(nanos)]++;
	if (nanos > r->slowest)
		r->slowest = nanos;
}

uint64_t load_report_quantile(const struct load_report *r, double q)
{
	uint64_t total = 0, sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += r->histogram[i];
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += r->histogram[i];
		if (sum > 0 && (double)sum >= q * (double)total)
			return bucket_value(i) < r->slowest ? bucket_value(i) : r->slowest;
	}
	return 0;
}

bool load_cpu_of(pid_t pid, uint64_t *nanos)
{
	unsigned long long user, system;
	char path[64], text[1024], *p;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	/* The name, in parentheses, may hold anything; fields 14 and 15 are counted from behind it. */
	if ((p = strrchr(text, ')')) == NULL ||
	    sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
		   &system) != 2)
		return false;
	*nanos = (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

uint64_t load_cpu_own(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000U +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000U;
}

static double per_request(const struct load_report *r, uint64_t nanos)
{
	return r->answered > 0 ? (double)nanos / 1e3 / (double)r->answered : 0;
}

static double rate(const struct load_report *r)
{
	return r->nanos > 0 ? (double)r->answered * 1e9 / (double)r->nanos : 0;
}

static void print_json(const struct load_report *r)
{
	const char *comma = "";

	printf("{\"seconds\":%.3f,\"answered\":%" PRIu64 ",\"per_second\":%.0f,"
	       "\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,\"status\":{",
	       (double)r->nanos / 1e9, r->answered, rate(r),
	       (double)load_report_quantile(r, 0.5) / 1e3,
	       (double)load_report_quantile(r, 0.99) / 1e3, (double)r->slowest / 1e3);
	for (unsigned i = 0; i < 600; i++) {
		if (r->by_status[i] == 0)
			continue;
		printf("%s\"%u\":%" PRIu64, comma, i, r->by_status[i]);
		comma = ",";
	}
	printf("},\"dropped\":%" PRIu64 ",\"unsent\":%" PRIu64 ",\"retry_after\":%" PRIu64
	       ",\"connected\":%" PRIu64 ",\"client_cpu_us\":%.2f",
	       r->dropped, r->unsent, r->retry_after, r->connected,
	       per_request(r, r->client_cpu_nanos));
	if (r->has_server_cpu)
		printf(",\"server_cpu_us\":%.2f", per_request(r, r->server_cpu_nanos));
	if (r->signal.sent)
		printf(",\"signal_under_way\":%" PRIu64 ",\"signal_answered\":%" PRIu64
		       ",\"signal_refused\":%" PRIu64 ",\"signal_dropped\":%" PRIu64,
		       r->signal.under_way, r->signal.answered, r->signal.refused,
		       r->signal.dropped);
	printf("}\n");
}

void load_report_print(const struct load_report *r, bool json)
{
	if (json) {
		print_json(r);
		return;
	}
	printf("%" PRIu64 " answers in %.2f s: %.0f/s\n", r->answered, (double)r->nanos / 1e9,
	       rate(r));
	printf("latency: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
	       (double)load_report_quantile(r, 0.5) / 1e6,
	       (double)load_report_quantile(r, 0.99) / 1e6, (double)r->slowest / 1e6);
	printf("status:");
	for (unsigned i = 0; i < 600; i++)
		if (r->by_status[i] > 0)
			printf(" %u: %" PRIu64, i, r->by_status[i]);
	printf("\n");
	if (r->dropped + r->unsent + r->retry_after > 0)
		printf("dropped %" PRIu64 ", never sent %" PRIu64
		       ", told to come back later %" PRIu64 "\n",
		       r->dropped, r->unsent, r->retry_after);
	if (r->has_server_cpu)
		printf("server CPU per request: %.1f us\n", per_request(r, r->server_cpu_nanos));
	printf("client CPU per request: %.1f us\n", per_request(r, r->client_cpu_nanos));
	if (r->signal.sent)
		printf("when the signal was sent %" PRIu64 " were under way: %" PRIu64
		       " answered, %" PRIu64 " refused, %" PRIu64 " dropped\n",
		       r->signal.under_way, r->signal.answered, r->signal.refused,
		       r->signal.dropped);
}
