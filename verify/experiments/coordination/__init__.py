"""The coordination game of zeng2022 Sec. 5: CAC against IAC, DAC and MDAC."""
