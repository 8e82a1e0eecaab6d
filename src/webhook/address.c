/* address.c - which addresses belong to the public internet (IANA special-purpose registries, RFC 6890), less the one public
 * address that answers from inside a cloud's machines. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "webhook/webhook.h"

static const struct {
    uint32_t network;
    int bits;
} special_v4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, cloud metadata */
    {0xa83f8110, 32}, /* 168.63.129.16: Azure's platform, which hands out a machine's settings */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool v4_is_public(uint32_t address)
{
    for (size_t i = 0; i < sizeof special_v4 / sizeof special_v4[0]; i++) {
        if ((address ^ special_v4[i].network) >> (32 - special_v4[i].bits) == 0) return false;
    }
    return true;
}

/* Only 2000::/3 is given out to the internet: loopback, link-local, unique-local, v4-mapped and NAT64 lie outside. Within
 * it, ranges that carry an IPv4 address or are for protocols and documentation are refused. */
static bool v6_is_public(const unsigned char *a)
{
    if ((a[0] & 0xe0) != 0x20) return false;
    if (a[0] == 0x20 && a[1] == 0x01 && a[2] < 0x02) return false;                    /* 2001::/23: Teredo and others */
    if (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) return false;   /* 2001:db8::/32 */
    if (a[0] == 0x20 && a[1] == 0x02) return false;                                   /* 2002::/16: 6to4 */
    return !(a[0] == 0x3f && a[1] == 0xff && a[2] < 0x10);                            /* 3fff::/20 */
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return v4_is_public(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_is_public(in6.sin6_addr.s6_addr);
    }
    return false;
}
